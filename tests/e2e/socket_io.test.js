// Laravel Echo's socket.io connector with socket.io-client 2, 3 and 4, as pages made for laravel-echo-server use it.
import assert from 'node:assert/strict';

import Echo from 'laravel-echo';
import io2 from 'socket.io-client-2';
import io3 from 'socket.io-client-3';
import io4 from 'socket.io-client-4';

import { redisBroadcaster, startApplication, USERS } from './support/application.js';
import { inbox } from './support/echo.js';
import { appWith } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { inState, subscribed, until, withDeadline } from './support/waiting.js';

const CLIENTS = { 'socket.io-client 2': io2, 'socket.io-client 3': io3, 'socket.io-client 4': io4 };
const TRANSPORTS = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] };

/** A server that speaks Socket.IO, beside an application on the redis broadcaster. */
async function open(t, { settings = [], broadcaster = redisBroadcaster, more = '' } = {}) {
  const asked = await startApplication(t, broadcaster);
  const config = `[socketio]\nenabled = true\n${more}\n${appWith('client_events = true', ...asked, ...settings)}`;
  const scene = await Scene.open(t, { config });
  return scene;
}

/** A connected Echo. */
async function connected(scene, io, { transports = ['websocket'], token, ...options } = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const host = scene.server.url.origin;
  const own = { host, transports, auth: { headers }, forceNew: true };
  const echo = new Echo({ broadcaster: 'socket.io', client: io, ...own, ...options });
  scene.adopt(echo);
  await until(() => echo.connector.socket.connected, 'the connection');
  return echo;
}

/** Resolves when the session's transport is a WebSocket. */
const upgraded = (echo) =>
  until(() => echo.connector.socket.io.engine.transport.name === 'websocket', 'the change to a WebSocket');

const subscriptions = (scene) => scene.server.metric('fanfare_subscriptions');

for (const [client, io] of Object.entries(CLIENTS)) {
  for (const [kind, transports] of Object.entries(TRANSPORTS)) {
    const over = { transports };

    test(`sio_050 sio_054 sio_060 ${client} over ${kind}: public and private channels, and leave`, async (t) => {
      const scene = await open(t);
      const echo = await connected(scene, io, { ...over, token: 'ann-token' });
      if (kind === 'upgrade') await upgraded(echo);
      const shipped = inbox('OrderShipped', (put) => echo.channel('orders').listen('OrderShipped', put));
      const named = inbox('.order.paid', (put) => echo.private('orders.7').listen('.order.paid', put));
      await until(async () => (await subscriptions(scene)) === 2, 'both subscriptions');
      await scene.sdk.trigger('orders', 'App\\Events\\OrderShipped', { text: 'é😀', n: [1, 2] });
      await scene.sdk.trigger('private-orders.7', 'order.paid', { id: 7 });
      assert.deepEqual(await shipped.next(), { text: 'é😀', n: [1, 2] });
      assert.deepEqual(await named.next(), { id: 7 });
      echo.leave('orders');
      await until(async () => (await subscriptions(scene)) === 1, 'the end of one subscription');
      // Echo's own `error` does nothing with this connector.
      const refused = inbox('the refusal', (put) => echo.connector.socket.on('subscription_error', put), { all: true });
      echo.private('closed');
      assert.deepEqual(await refused.next(), ['private-closed', 403]);
    });

    test(`sio_053 sio_090 ${client} over ${kind}: whisper, and toOthers`, async (t) => {
      const scene = await open(t);
      const ann = await connected(scene, io, { ...over, token: 'ann-token' });
      const bob = await connected(scene, io, { ...over, token: 'bob-token' });
      const typing = inbox('typing', (put) => bob.private('room').listenForWhisper('typing', put));
      const heard = inbox('.e', (put) => bob.private('room').listen('.e', put));
      const own = inbox('.e', (put) => ann.private('room').listen('.e', put));
      await until(async () => (await subscriptions(scene)) === 2, 'both subscriptions');
      ann.private('room').whisper('typing', { by: 'Ann' });
      assert.deepEqual(await typing.next(), { by: 'Ann' });
      assert.match(ann.socketId(), /^\d+\.\d+$/);
      await scene.sdk.trigger('private-room', 'e', { to: 'others' }, { socket_id: ann.socketId() });
      await scene.sdk.trigger('private-room', 'e', { to: 'all' });
      assert.deepEqual(await heard.next(), { to: 'others' });
      assert.deepEqual(await heard.next(), { to: 'all' });
      assert.deepEqual(await own.next(), { to: 'all' });
    });

    test(`sio_057 sio_103 ${client} over ${kind}: here, joining and leaving, with a page of pusher-js`, async (t) => {
      const scene = await open(t);
      const ann = await connected(scene, io, { ...over, token: 'ann-token' });
      const room = ann.join('room');
      const here = inbox('here', (put) => room.here(put));
      const joining = inbox('joining', (put) => room.joining(put));
      const leaving = inbox('leaving', (put) => room.leaving(put));
      assert.deepEqual(await here.next(), [USERS['ann-token']]);
      const pusher = await scene.client({ user: { user_id: '99', user_info: { id: 99, name: 'Pat' } } });
      const members = await subscribed(pusher.subscribe('presence-room'));
      assert.deepEqual(members.members['7'], USERS['ann-token']);
      assert.deepEqual(await joining.next(), { id: 99, name: 'Pat' });
      const bob = await connected(scene, io, { ...over, token: 'bob-token' });
      const bobHere = inbox('here', (put) => bob.join('room').here(put));
      const byId = (a, b) => a.id - b.id;
      const everybody = [USERS['ann-token'], USERS['bob-token'], { id: 99, name: 'Pat' }];
      assert.deepEqual((await bobHere.next()).sort(byId), everybody);
      assert.deepEqual(await joining.next(), USERS['bob-token']);
      pusher.disconnect();
      assert.deepEqual(await leaving.next(), { id: 99, name: 'Pat' });
      bob.leave('room');
      assert.deepEqual(await leaving.next(), USERS['bob-token']);
    });

    test(`sio_034 ${client} over ${kind}: a client comes back after a restart, and joins once`, async (t) => {
      const scene = await open(t);
      const config = `[socketio]\nenabled = true\n${appWith('client_events = true')}`;
      const echo = await connected(scene, io, over);
      const heard = inbox('.e', (put) => echo.channel('news').listen('.e', put));
      await until(async () => (await subscriptions(scene)) === 1, 'the subscription');
      const { address } = scene.server;
      await scene.server.stop();
      await scene.startNext({ listen: address, config });
      await until(async () => (await subscriptions(scene)) === 1, 'the subscription after the restart', 20_000);
      await scene.sdk.trigger('news', 'e', 1);
      assert.equal(await heard.next(), 1);
    });
  }

  test(`sio_031 ${client}: pings keep polling and WebSockets open`, async (t) => {
    const scene = await open(t, { more: 'ping_interval = 1\nping_timeout = 1\n' });
    const all = [];
    for (const transports of Object.values(TRANSPORTS)) all.push(await connected(scene, io, { transports }));
    let lost = 0;
    for (const echo of all) echo.connector.socket.on('disconnect', () => (lost += 1));
    await new Promise((resolve) => setTimeout(resolve, 4500));
    assert.equal(lost, 0);
  });

  test(`sio_035 ${client}: a client that is refused for good reads why and does not come back`, async (t) => {
    const scene = await open(t);
    for (const transports of Object.values(TRANSPORTS)) {
      const path = '/app/nobody/socket.io';
      const atOnce = { reconnectionDelay: 10, reconnectionDelayMax: 10 };
      const socket = io(scene.server.url.origin, { path, transports, forceNew: true, ...atOnce });
      scene.adopt(socket);
      const told = new Promise((resolve) => {
        socket.on('error', resolve);
        socket.on('connect_error', resolve);
      });
      const error = await withDeadline(told, 'the refusal');
      assert.match(String(error.message ?? error), /App key nobody not in this cluster/);
    }
    const refused = () => scene.server.metric('fanfare_closes_total', { reason: 'unknown_key' });
    await until(async () => (await refused()) === 3, 'three refusals');
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(await refused(), 3, 'nobody has come again');
  });
}

test('sio_057 a hundred members that join at once are a hundred members', async (t) => {
  const broadcaster = ({ socketId }) => [200, { channel_data: { user_id: socketId, user_info: { id: socketId } } }];
  const scene = await open(t, { broadcaster });
  const [clients, transports] = [Object.values(CLIENTS), Object.values(TRANSPORTS)];
  const one = (_, at) => connected(scene, clients[at % 3], { transports: transports[at % 2] });
  const mixed = Array.from({ length: 100 }, one);
  const echoes = await Promise.all(mixed);
  const counts = echoes.map((echo) => {
    const there = new Set();
    const room = echo.join('all');
    room.here((members) => members.forEach((member) => there.add(member.id)));
    room.joining((member) => there.add(member.id));
    return there;
  });
  await until(() => counts.every((there) => there.size === 100), 'a hundred members everywhere', 20_000);
});
