// Laravel Echo's socket.io connector in Chromium, beside pusher-js: the page's origin is not the server's.
import assert from 'node:assert/strict';

import { USERS, redisBroadcaster, startApplication } from '../e2e/support/application.js';
import { APP, ONE_APP, appWith } from '../e2e/support/fanfare.js';
import { Scene, test } from '../e2e/support/scene.js';
import { Authority } from '../e2e/support/tls.js';
import { subscribed, until } from '../e2e/support/waiting.js';
import { openPage } from './support/page.js';

/** Client and Echo as pages of their time have them, a class and a module; the first client is the script that Fanfare serves. */
const CLIENTS = {
  'socket.io-client 2 from the server': ({ url }) => [`${url}socket.io/socket.io.js`, 'laravel-echo-1/dist/echo.iife.js'],
  'socket.io-client 3': () => ['socket.io-client-3/dist/socket.io.min.js', 'laravel-echo/dist/echo.iife.js'],
  'socket.io-client 4': () => ['socket.io-client-4/dist/socket.io.min.js', 'laravel-echo/dist/echo.iife.js'],
};
const TRANSPORTS = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] };

const ANN = USERS['ann-token'];
const PAT = { user_id: '99', user_info: { id: 99, name: 'Pat' } };

/** A server that speaks Socket.IO, and asks the test's application who may join. */
async function open(t) {
  const asked = await startApplication(t, redisBroadcaster);
  return Scene.open(t, { config: `[socketio]\nenabled = true\n${appWith('client_events = true', ...asked)}` });
}

/** Runs in the page: everything that a page does, by one transport after the other, with a pusher-js beside. */
async function visit({ key, options, host, transports }, report) {
  const first = (bind) => new Promise((resolve) => bind(resolve));
  for (const [kind, names] of Object.entries(transports)) {
    const pusher = new Pusher(key, options);
    const own = pusher.subscribe('presence-room');
    await first((resolve) => own.bind('pusher:subscription_succeeded', resolve));
    const added = first((resolve) => own.bind('pusher:member_added', resolve));
    const typed = first((resolve) => own.bind('client-typing', resolve));

    const auth = { headers: { Authorization: 'Bearer ann-token' } };
    const echo = new (Echo.default ?? Echo)({ broadcaster: 'socket.io', client: io, host, transports: names, auth, forceNew: true });
    const { socket } = echo.connector;
    socket.on('connect_error', (error) => report({ failed: String(error) }));
    const room = echo.join('room');
    const joining = first((resolve) => room.joining(resolve));
    const leaving = first((resolve) => room.leaving(resolve));
    const whispered = first((resolve) => room.listenForWhisper('typing', resolve));
    const shipped = first((resolve) => echo.channel(`orders.${kind}`).listen('OrderShipped', resolve));
    const paid = first((resolve) => echo.private(`orders.${kind}`).listen('.order.paid', resolve));
    const refused = first((resolve) => socket.on('subscription_error', (...said) => resolve(said)));
    echo.private('closed');
    const here = await first((resolve) => room.here(resolve));
    const upgraded = () => names.length === 1 || socket.io.engine.transport.name === 'websocket';
    while (!upgraded()) await new Promise((resolve) => setTimeout(resolve, 10));

    room.whisper('typing', { by: 'Ann' });
    const heard = { here, added: (await added).info, typed: await typed, refused: await refused };
    own.trigger('client-typing', { by: 'Pat' });
    await report({ kind, ...heard, whispered: await whispered });
    await report({ kind, joining: await joining, leaving: await leaving });
    await report({ kind, shipped: await shipped, paid: await paid, by: socket.io.engine.transport.name });
    const removed = first((resolve) => own.bind('pusher:member_removed', resolve));
    echo.leave('room');
    await report({ kind, removed: (await removed).info });
    echo.disconnect();
    pusher.disconnect();
  }
}

for (const [client, scriptsFrom] of Object.entries(CLIENTS)) {
  test(`sio_007 sio_020 sio_050 sio_070 sio_103 sio_104 a browser with ${client}: public, private, presence, whispers`, async (t) => {
    const scene = await open(t);
    const occupied = async (name) => name in (await (await scene.sdk.get({ path: '/channels' })).json()).channels;
    const { host: wsHost, port: wsPort, url } = scene.server;
    const options = { cluster: 'mt1', wsHost, wsPort, forceTLS: false, enabledTransports: ['ws'], authEndpoint: '/auth' };
    const page = await openPage(t, {
      scripts: ['pusher-js/dist/web/pusher.js', ...scriptsFrom(scene.server)],
      body: visit,
      args: { key: APP.key, options, host: url.host, transports: TRANSPORTS },
      authorization: scene.authorization.endpoint(PAT),
    });
    for (const [kind, names] of Object.entries(TRANSPORTS)) {
      const { here, ...met } = await page.next();
      assert.deepEqual(here.sort((a, b) => a.id - b.id), [ANN, PAT.user_info]);
      const refused = ['private-closed', 403];
      assert.deepEqual(met, { kind, added: ANN, typed: { by: 'Ann' }, refused, whispered: { by: 'Pat' } });

      const user = { user_id: '1', user_info: { id: 1, name: 'Joe' } };
      const joe = await scene.client({ user });
      await subscribed(joe.subscribe('presence-room'));
      joe.disconnect();
      assert.deepEqual(await page.next(), { kind, joining: user.user_info, leaving: user.user_info });

      for (const name of [`orders.${kind}`, `private-orders.${kind}`]) await until(() => occupied(name), name);
      await scene.sdk.trigger(`orders.${kind}`, 'App\\Events\\OrderShipped', { text: 'é😀', n: [1, 2] });
      await scene.sdk.trigger(`private-orders.${kind}`, 'order.paid', { id: 7 });
      const [by] = names.slice(-1);
      assert.deepEqual(await page.next(), { kind, shipped: { text: 'é😀', n: [1, 2] }, paid: { id: 7 }, by });

      assert.deepEqual(await page.next(), { kind, removed: ANN });
    }
    await until(async () => (await scene.server.metric('fanfare_connections')) === 0, 'the end of all connections');
  });
}

/** Runs in the page: asks for a private channel with what the browser sends by itself, and a header of the page's own. */
async function withCookie({ host, path, transports }, report) {
  document.cookie = 'session=ann-token';
  const extraHeaders = { 'X-Page': 'shop' };
  for (const names of Object.values(transports)) {
    const own = { path, withCredentials: true, extraHeaders, transportOptions: { polling: { extraHeaders } } };
    const echo = new (Echo.default ?? Echo)({ broadcaster: 'socket.io', client: io, host, transports: names, forceNew: true, ...own });
    for (const failure of ['connect_error', 'subscription_error']) {
      echo.connector.socket.on(failure, (...failed) => report({ failed: String(failed) }));
    }
    await report({ here: await new Promise((resolve) => echo.join('room').here(resolve)) });
    echo.disconnect();
  }
}

for (const [client, scriptsFrom] of Object.entries(CLIENTS)) {
  test(`sio_006 sio_063 a browser with ${client}: the application is asked with the visitor's cookie`, async (t) => {
    const scene = await open(t);
    const args = { host: scene.server.url.host, path: `/app/${APP.key}/socket.io`, transports: TRANSPORTS };
    const page = await openPage(t, { scripts: scriptsFrom(scene.server), body: withCookie, args });
    for (const _ of Object.keys(TRANSPORTS)) assert.deepEqual(await page.next(), { here: [ANN] });
  });
}

/** Runs in the page: as many clients as there might be tabs. */
async function crowd({ host, count }, report) {
  let heard = 0;
  for (let n = 0; n < count; n++) {
    const options = { broadcaster: 'socket.io', client: io, host, transports: ['polling'], forceNew: true };
    new Echo.default(options).channel('news').listen('.e', () => ++heard === count && report({ heard }));
  }
}

test('sio_073 over HTTP/2 a browser polls more often at once than it keeps connections to a host', async (t) => {
  const authority = await Authority.make(t);
  // A ping would end a poll.
  const scene = await Scene.open(t, { config: `[socketio]\nenabled = true\nping_interval = 300\n${authority.settings}${ONE_APP}` });
  const { tlsUrl } = scene.server;
  const page = await openPage(t, {
    scripts: CLIENTS['socket.io-client 4'](),
    body: crowd,
    args: { host: tlsUrl.origin, count: 12 },
    // The certificate is of an authority that only this test knows.
    flags: ['--ignore-certificate-errors'],
  });
  await until(async () => (await scene.server.metric('fanfare_subscriptions')) === 12, 'all subscriptions', 30_000);
  await scene.sdk.trigger('news', 'e', 1);
  assert.deepEqual(await page.next(), { heard: 12 });
});
