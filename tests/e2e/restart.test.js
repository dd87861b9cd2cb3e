// Clients during a stop or a replacement of their server.
import assert from 'node:assert/strict';

import { startBalancer } from './support/balancer.js';
import { appWith, ONE_APP } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { inboxOf, signedIn, signIn, subscribed, until } from './support/waiting.js';

/** A client with a public and a presence channel, and its events during a restart. */
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
  // An established connection reports the close code first, then its interpretation.
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

test('ws_185 ws_171 on the next server a user signs in, and all its channels are as they should be', async (t) => {
  const config = appWith('client_events = true', 'watchlist_events = true', 'subscription_counts = true');
  const scene = await Scene.open(t, { config });
  const balancer = await startBalancer(scene.server);
  t.after(() => balancer.stop());
  const signsInAs = { id: 'ann', user_info: { name: 'Ann' }, watchlist: ['ann', 'bob'] };
  // Without its own user the presence channel takes the signed-in user, so after the sign-in.
  const pusher = await scene.client({ signsInAs, wsPort: balancer.port });
  await signIn(pusher);
  const names = ['cache-news', 'private-chat', 'presence-room', 'private-encrypted-cache-orders'];
  const [news, chat, room, orders] = names.map((name) => pusher.subscribe(name));
  await Promise.all([news, chat, room, orders].map((channel) => subscribed(channel)));
  const prices = [inboxOf(news, 'price'), inboxOf(orders, 'price')];
  const [greetings, typing] = [inboxOf(pusher.user, 'hello'), inboxOf(chat, 'client-typing')];
  const rooms = inboxOf(room, 'pusher:subscription_succeeded');
  const [online, offline] = ['online', 'offline'].map((name) => inboxOf(pusher.user.watchlist, name));
  const errors = inboxOf(pusher.connection, 'error');

  const before = await scene.startNext({ config });
  await scene.sdk.trigger('cache-news', 'price', { euro: 1 });
  await scene.sdk.trigger('private-encrypted-cache-orders', 'price', { euro: 2 });
  balancer.pointTo(scene.server);
  await before.stop();

  assert.equal((await errors.next()).data.code, 4200);
  assert.deepEqual([await prices[0].next(), await prices[1].next()], [{ euro: 1 }, { euro: 2 }]);
  assert.deepEqual((await rooms.next()).me, { id: 'ann', info: { name: 'Ann' } });
  assert.deepEqual((await online.next()).user_ids, ['ann']);
  assert.deepEqual((await offline.next()).user_ids, ['bob']);
  await signedIn(pusher);
  await scene.sdk.sendToUser('ann', 'hello', 'after');
  assert.equal(await greetings.next(), 'after');
  await subscribed(chat);
  const bob = await scene.client();
  const bobsChat = bob.subscribe('private-chat');
  await subscribed(bobsChat);
  bobsChat.trigger('client-typing', 'bob');
  assert.equal(await typing.next(), 'bob');
  // The errors are those of the old connection, none of the new one.
  assert.ok(errors.all.every((error) => (error.data ?? error.error.data).code === 4200), JSON.stringify(errors.all));
});

test('ws_057 a client comes back to a server that is started again in its place', async (t) => {
  const scene = await Scene.open(t);
  const client = await subscriber(scene);
  await scene.restartInPlace();
  // After a refused connection attempt pusher-js waits 15 s for the next.
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
  // Far less than the drain: `stop` itself has a timeout of 15 s.
  await scene.server.stop();
  scene.server = undefined;
});
