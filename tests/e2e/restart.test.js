// What clients go through when their server stops or is replaced.
import assert from 'node:assert/strict';

import { startBalancer } from './support/balancer.js';
import { ONE_APP } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { inboxOf, subscribed, until } from './support/waiting.js';

/** A client with a public and a presence channel, and what it hears of a restart. */
async function subscriber(scene, options) {
  const pusher = await scene.client({ user: { user_id: 'ann' }, ...options });
  const channels = ['news', 'presence-room'].map((name) => pusher.subscribe(name));
  await Promise.all(channels.map((channel) => subscribed(channel)));
  return {
    pusher,
    socketId: pusher.connection.socket_id,
    errors: inboxOf(pusher.connection, 'error'),
    connected: inboxOf(pusher.connection, 'connected'),
    subscribedAgain: channels.map((channel) => inboxOf(channel, 'pusher:subscription_succeeded')),
    events: inboxOf(channels[0], 'hello'),
  };
}

async function hasReturned(scene, client, within) {
  // An established connection reports the close code itself first, then what it makes of it.
  assert.deepEqual((await client.errors.next()).data, { code: 4200, message: 'Server shutting down' });
  await client.connected.next(within);
  assert.notEqual(client.pusher.connection.socket_id, client.socketId);
  for (const inbox of client.subscribedAgain) await inbox.next();
  await scene.sdk.trigger('news', 'hello', { after: 'restart' });
  assert.deepEqual(await client.events.next(), { after: 'restart' });
}

test('ws_057 when a server is replaced its clients go to the next by themselves', async (t) => {
  const scene = await Scene.open(t);
  const balancer = await startBalancer(scene.server);
  t.after(() => balancer.stop());
  const client = await subscriber(scene, { wsPort: balancer.port });
  const before = await scene.startNext();
  balancer.pointTo(scene.server);
  await before.stop();
  await hasReturned(scene, client);
});

test('ws_057 a client comes back to a server that is started again in its place', async (t) => {
  const scene = await Scene.open(t);
  const client = await subscriber(scene);
  await scene.restartInPlace();
  // An attempt that found nobody listening keeps pusher-js from the next one for 15 s.
  await hasReturned(scene, client, 40_000);
});

test('ws_057 while a server drains, newcomers are told to come back and it is not ready', async (t) => {
  const scene = await Scene.open(t, { config: ONE_APP.replace('drain = 1', 'drain = 4') });
  const clients = await Promise.all([1, 2, 3].map(() => scene.client()));
  const stopped = scene.server.stop();
  const left = () => clients.some((client) => client.connection.state !== 'connected');
  await until(left, 'the first close of the drain');
  assert.equal((await fetch(new URL('/ready', scene.server.adminUrl))).status, 503);
  const newcomer = scene.connecting();
  const errors = inboxOf(newcomer.connection, 'error');
  const { error } = await errors.next();
  assert.deepEqual(error.data, { code: 4100, message: 'Server shutting down' });
  for (const client of [...clients, newcomer]) client.disconnect();
  await stopped;
  scene.server = undefined;
});

test('a server whose clients have gone stops at once, however long it might drain', async (t) => {
  const scene = await Scene.open(t, { config: ONE_APP.replace('drain = 1', 'drain = 60') });
  await scene.client();
  // Far less than the drain: `stop` itself gives up after 15 s.
  await scene.server.stop();
  scene.server = undefined;
});
