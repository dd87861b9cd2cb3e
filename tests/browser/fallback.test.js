// pusher-js in Chromium without WebSockets: the page's origin is not the server's.
import assert from 'node:assert/strict';

import { APP, ONE_APP, appWith } from '../e2e/support/fanfare.js';
import { Scene, test } from '../e2e/support/scene.js';
import { Authority } from '../e2e/support/tls.js';
import { inboxOf, subscribed } from '../e2e/support/waiting.js';
import { openPage } from './support/page.js';

// A session lives on one node; what has `tls` in it is no pair.
const ONE_NODE = appWith('client_events = true', 'force_tls = false');

/** Runs in the page. */
async function chat({ key, options }, report) {
  const pusher = new Pusher(key, options);
  const got = [];
  const room = pusher.subscribe('presence-room');
  room.bind('pusher:subscription_succeeded', (members) =>
    report({ transport: pusher.connection.connection.transport.name, members: Object.keys(members.members) }),
  );
  room.bind('client-hello', (data) => {
    room.trigger('client-hello', { n: data.n + 1 });
  });
  room.bind('e', ({ n }) => {
    got.push(n);
    if (n === 'last') report({ got });
  });
  pusher.connection.bind('error', (error) => report({ failed: JSON.stringify(error) }));
}

for (const version of ['pusher-js', 'pusher-js-7']) {
  for (const transport of ['xhr_streaming', 'xhr_polling']) {
    test(`${version} in a browser by ${transport}: presence, client events, and more than 256 KiB of events`, async (t) => {
      const scene = await Scene.open(t, { config: ONE_NODE });
      const socket = await scene.client({ user: { user_id: 'ws' } });
      const room = socket.subscribe('presence-room');
      await subscribed(room);
      const added = inboxOf(room, 'pusher:member_added');
      const removed = inboxOf(room, 'pusher:member_removed');
      const hello = inboxOf(room, 'client-hello');
      const options = {
        cluster: 'mt1',
        httpHost: scene.server.host,
        httpPort: scene.server.port,
        forceTLS: false,
        enabledTransports: [transport],
        authEndpoint: '/auth',
      };
      const scripts = [`${version}/dist/web/pusher.js`];
      const authorization = scene.authorization.endpoint({ user_id: 'page' });
      const page = await openPage(t, { scripts, body: chat, args: { key: APP.key, options }, authorization });
      const joined = await page.next();
      assert.deepEqual({ ...joined, members: joined.members.sort() }, { transport, members: ['page', 'ws'] });
      assert.equal((await added.next()).id, 'page');
      room.trigger('client-hello', { n: 1 });
      assert.deepEqual(await hello.next(), { n: 2 });
      for (let n = 0; n < 75; n++) await scene.sdk.trigger('presence-room', 'e', { n, text: 'é'.repeat(4000) });
      await scene.sdk.trigger('presence-room', 'e', { n: 'last' });
      assert.deepEqual((await page.next()).got, [...Array(75).keys(), 'last']);
      assert.deepEqual(removed.all, []);
    });
  }
}

/** Runs in the page: as many clients as there might be tabs. */
async function crowd({ key, options, count }, report) {
  const clients = Array.from({ length: count }, () => new Pusher(key, options));
  const channels = clients.map((client) => client.subscribe('news'));
  let [subscribed, heard] = [0, 0];
  for (const channel of channels) {
    channel.bind('pusher:subscription_succeeded', () => ++subscribed === count && report({ subscribed }));
    channel.bind('e', () => ++heard === count && report({ heard }));
  }
}

test('fallback_028 over HTTP/2 a browser has more streams than the six connections that it keeps to a host', async (t) => {
  const authority = await Authority.make(t);
  const scene = await Scene.open(t, { config: `${authority.settings}${ONE_APP}` });
  const options = {
    cluster: 'mt1',
    httpHost: 'localhost',
    httpsPort: Number(scene.server.tlsUrl.port),
    forceTLS: true,
    enabledTransports: ['xhr_streaming'],
  };
  const page = await openPage(t, {
    scripts: ['pusher-js/dist/web/pusher.js'],
    body: crowd,
    args: { key: APP.key, options, count: 12 },
    // The certificate is of an authority that only this test knows.
    flags: ['--ignore-certificate-errors'],
  });
  assert.deepEqual(await page.next(), { subscribed: 12 });
  await scene.sdk.trigger('news', 'e', 1);
  assert.deepEqual(await page.next(), { heard: 12 });
});
