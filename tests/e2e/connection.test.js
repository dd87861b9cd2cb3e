// Connecting, staying connected, and being refused, with stock pusher-js.
import assert from 'node:assert/strict';

import { ONE_APP } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { inboxOf, inState, staysEmpty, subscribed, until } from './support/waiting.js';

test('ws_031 a client gets connected and has a socket id of two numbers', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  assert.match(pusher.connection.socket_id, /^\d+\.\d+$/);
});

test('ws_031 two clients have different socket ids', async (t) => {
  const scene = await Scene.open(t);
  const [ann, bob] = [await scene.client(), await scene.client()];
  assert.notEqual(ann.connection.socket_id, bob.connection.socket_id);
});

test('ws_042 pusher:ping is answered with pusher:pong', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const messages = inboxOf(pusher.connection, 'message');
  pusher.send_event('pusher:ping', {});
  assert.deepEqual(await messages.next(), { event: 'pusher:pong', channel: undefined, data: {} });
});

test('ws_043 the activity check of pusher-js finds the connection alive', async (t) => {
  const scene = await Scene.open(t);
  // Without an answer this client would close its connection 300 ms after its ping.
  const pusher = await scene.client({ activityTimeout: 100, pongTimeout: 300 });
  const states = inboxOf(pusher.connection, 'state_change');
  await staysEmpty(states, 1500);
  assert.equal(pusher.connection.state, 'connected');
});

test('ws_032 the announced activity timeout is the configured one', async (t) => {
  const scene = await Scene.open(t, { config: ONE_APP.replace('[timeouts]', '[timeouts]\nactivity = 77') });
  const pusher = await scene.client();
  assert.equal(pusher.connection.activityTimeout, 77_000);
});

test('ws_003 a path prefix is in front of everything', async (t) => {
  const scene = await Scene.open(t, { config: `[listen]\npath_prefix = "/ws"\n${ONE_APP}` });
  const pusher = scene.connecting({ wsPath: '/ws' });
  await inState(pusher, 'connected');
  assert.match(pusher.connection.socket_id, /^\d+\.\d+$/);
});

test('ws_003 a wsPath of one slash does no harm', async (t) => {
  const scene = await Scene.open(t);
  const pusher = scene.connecting({ wsPath: '/' });
  await inState(pusher, 'connected');
});

test('an unknown key ends in disconnected after one attempt', async (t) => {
  const scene = await Scene.open(t);
  const pusher = scene.connecting({ key: 'no-such-key' });
  const errors = inboxOf(pusher.connection, 'error');
  await inState(pusher, 'disconnected');
  const { error } = await errors.next();
  assert.deepEqual(error.data, {
    code: 4001,
    message: 'App key no-such-key not in this cluster. Did you forget to specify the cluster? (no such key here)',
  });
  // pusher-js would reconnect at once, or after one second.
  await staysEmpty(inboxOf(pusher.connection, 'connecting'), 2500);
  assert.equal(pusher.connection.state, 'disconnected');
  assert.equal(await scene.server.metric('fanfare_closes_total', { code: '4001', reason: 'unknown_key' }), 1);
});

test('a disabled app and a full one refuse with 4003 and 4004', async (t) => {
  const disabled = '[[apps.list]]\nid = "4"\nkey = "key-off"\nsecret = "s4"\nenabled = false\n';
  const small = '[[apps.list]]\nid = "5"\nkey = "key-small"\nsecret = "s5"\nmax_connections = 1\n';
  const scene = await Scene.open(t, { config: ONE_APP + disabled + small });

  const off = scene.connecting({ key: 'key-off' });
  const offErrors = inboxOf(off.connection, 'error');
  assert.deepEqual((await offErrors.next()).error.data, { code: 4003, message: 'Application disabled (setting enabled)' });

  await scene.client({ key: 'key-small' });
  const second = scene.connecting({ key: 'key-small' });
  const secondErrors = inboxOf(second.connection, 'error');
  const message = 'Account over quota (at most 1 connections, setting max_connections)';
  assert.deepEqual((await secondErrors.next()).error.data, { code: 4004, message });
  await inState(second, 'disconnected');
});

test('ws_058 a client that disconnects is gone from its channels', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  await subscribed(pusher.subscribe('news'));
  assert.equal(await scene.server.metric('fanfare_connections', { app: '3' }), 1);
  pusher.disconnect();
  await until(async () => (await scene.server.metric('fanfare_connections', { app: '3' })) === 0, 'the goodbye');
  const answer = await (await scene.sdk.get({ path: '/channels' })).json();
  assert.deepEqual(answer, { channels: {} });
});
