// pusher-js without WebSockets: streaming and polling over HTTP, by choice and by itself.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { describe } from 'node:test';

import Pusher8 from 'pusher-js';
import Pusher7 from 'pusher-js-7';

import { APP, appWith } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { inboxOf, inState, subscribed, until } from './support/waiting.js';

// A session lives on one node, and the balancer of pairs sticks to none; what has `tls` in it is no pair.
const ONE_NODE = appWith('client_events = true', 'force_tls = false');

const VERSIONS = [
  ['8', Pusher8],
  ['7', Pusher7],
];

/** A scene, and clients of this version of pusher-js that have this transport alone. */
async function open(t, { Pusher, transports, config = ONE_NODE, port }) {
  const scene = await Scene.open(t, { config });
  const connecting = ({ user, key = APP.key, ...options } = {}) =>
    scene.adopt(
      new Pusher(key, {
        cluster: 'mt1',
        wsHost: scene.server.host,
        wsPort: port?.(scene) ?? scene.server.port,
        httpHost: scene.server.host,
        httpPort: port?.(scene) ?? scene.server.port,
        forceTLS: false,
        ...(transports && { enabledTransports: transports }),
        channelAuthorization: { endpoint: scene.authorization.endpoint(user) },
        // As version 7.0 names it.
        authEndpoint: scene.authorization.endpoint(user),
        ...options,
      }),
    );
  const client = async (options) => {
    const pusher = connecting(options);
    await inState(pusher, 'connected', 30_000);
    return pusher;
  };
  return { scene, connecting, client };
}

for (const [version, Pusher] of VERSIONS) {
  for (const transport of ['xhr_streaming', 'xhr_polling']) {
    describe(`pusher-js ${version} by ${transport}`, { concurrency: true }, () => {
      const opened = (t, options) => open(t, { Pusher, transports: [transport], ...options });

      test('fallback_015 channels of all kinds, client events, and members beside WebSockets', async (t) => {
        const { scene, client } = await opened(t);
        const socket = await scene.client({ user: { user_id: 'ws' } });
        const [room, chat] = [socket.subscribe('presence-room'), socket.subscribe('private-chat')];
        await Promise.all([subscribed(room), subscribed(chat)]);
        const added = inboxOf(room, 'pusher:member_added');
        const removed = inboxOf(room, 'pusher:member_removed');
        const pusher = await client({ user: { user_id: 'http' } });
        assert.equal(pusher.connection.connection.transport.name, transport);
        const [news, private_, presence] = ['news', 'private-chat', 'presence-room'].map((name) => pusher.subscribe(name));
        await Promise.all([news, private_, presence].map(subscribed));
        assert.deepEqual(Object.keys(presence.members.members).sort(), ['http', 'ws']);
        assert.equal((await added.next()).id, 'http');
        const [events, whispers, heard] = [inboxOf(news, 'e'), inboxOf(private_, 'client-a'), inboxOf(chat, 'client-a')];
        await scene.sdk.trigger('news', 'e', { text: 'é😀\n"' });
        assert.deepEqual(await events.next(), { text: 'é😀\n"' });
        assert.ok(private_.trigger('client-a', { n: 1 }));
        assert.deepEqual(await heard.next(), { n: 1 });
        chat.trigger('client-a', { n: 2 });
        assert.deepEqual(await whispers.next(), { n: 2 });
        pusher.unsubscribe('presence-room');
        assert.equal((await removed.next()).id, 'http');
        pusher.disconnect();
        await until(async () => (await scene.server.metric('fanfare_fallback_sessions')) === 0, 'the end of the session', 20_000);
      });

      test('fallback_018 three hundred kilobytes of events arrive whole and in order', async (t) => {
        const { scene, client } = await opened(t);
        const pusher = await client();
        const news = pusher.subscribe('news');
        await subscribed(news);
        const events = inboxOf(news, 'e');
        const disconnected = inboxOf(pusher.connection, 'disconnected');
        const errors = inboxOf(pusher.connection, 'error');
        const count = 75;
        for (let n = 0; n < count; n++) await scene.sdk.trigger('news', 'e', { n, text: 'é'.repeat(4000) });
        for (let n = 0; n < count; n++) assert.equal((await events.next()).n, n);
        await scene.sdk.trigger('news', 'e', { n: 'last' });
        assert.equal((await events.next()).n, 'last');
        assert.deepEqual([disconnected.all, errors.all], [[], []]);
      });

      test('fallback_022 ws_052 4001: pusher-js does not come back', async (t) => {
        const { connecting } = await opened(t);
        const stranger = connecting({ key: 'nosuchkey' });
        const errors = inboxOf(stranger.connection, 'error');
        const { error, data } = await errors.next();
        assert.equal((data ?? error.data).code, 4001);
        await inState(stranger, 'disconnected');
      });

      test('fallback_017 4200 and 4100 of a restart: pusher-js comes back by itself', async (t) => {
        const { scene, client } = await opened(t);
        const pusher = await client();
        const news = pusher.subscribe('news');
        await subscribed(news);
        const again = inboxOf(news, 'pusher:subscription_succeeded');
        await scene.restartInPlace();
        await again.next(30_000);
        const events = inboxOf(news, 'e');
        await scene.sdk.trigger('news', 'e', 1);
        assert.equal(await events.next(), 1);
      });
    });
  }

  test(`fallback_001 pusher-js ${version} finds the way by itself where WebSockets are blocked`, async (t) => {
    const wall = await startWall();
    t.after(() => wall.stop());
    const { scene, client } = await open(t, { Pusher, port: (scene) => wall.before(scene.server) });
    const pusher = await client();
    assert.match(pusher.connection.connection.transport.name, /^xhr_/);
    const news = pusher.subscribe('news');
    await subscribed(news);
    const events = inboxOf(news, 'e');
    await scene.sdk.trigger('news', 'e', 1);
    assert.equal(await events.next(), 1);
    assert.ok(wall.blocked > 0);
  });
}

test('fallback_001 behind a proxy that holds answers back until they are whole, pusher-js polls', async (t) => {
  const proxy = await startHoldingProxy();
  t.after(() => proxy.stop());
  const transports = ['xhr_streaming', 'xhr_polling'];
  const { scene, client } = await open(t, { Pusher: Pusher8, transports, port: (scene) => proxy.before(scene.server) });
  const pusher = await client();
  assert.equal(pusher.connection.connection.transport.name, 'xhr_polling');
  const news = pusher.subscribe('news');
  await subscribed(news);
  const events = inboxOf(news, 'e');
  await scene.sdk.trigger('news', 'e', 1);
  assert.equal(await events.next(), 1);
});

/** A proxy that forwards an answer when it is complete. */
async function startHoldingProxy() {
  let server;
  const proxy = createHttpServer((asked, answer) => {
    const { method, url, headers } = asked;
    const forwarded = request({ host: server.host, port: server.port, method, path: url, headers }, async (got) => {
      const chunks = await got.toArray().catch(() => []);
      answer.writeHead(got.statusCode, { 'access-control-allow-origin': '*' });
      answer.end(Buffer.concat(chunks));
    });
    forwarded.on('error', () => answer.destroy());
    asked.pipe(forwarded);
    answer.on('close', () => forwarded.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    before: (behind) => {
      server = behind;
      return proxy.address().port;
    },
    stop: () =>
      new Promise((resolve) => {
        proxy.close(resolve);
        proxy.closeAllConnections();
      }),
  };
}

/** A middlebox that resets every connection with a WebSocket's handshake on it. */
async function startWall() {
  const sockets = new Set();
  const wall = { blocked: 0 };
  let server;
  const box = createServer((client) => {
    const upstream = connect(server.port, server.host);
    client.on('data', (bytes) => {
      if (!/\r\nupgrade: *websocket/i.test(bytes.toString('latin1'))) return upstream.write(bytes);
      wall.blocked += 1;
      client.destroy();
      upstream.destroy();
    });
    upstream.pipe(client);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
  });
  box.listen(0, '127.0.0.1');
  await once(box, 'listening');
  wall.before = (behind) => {
    server = behind;
    return box.address().port;
  };
  wall.stop = () =>
    new Promise((resolve) => {
      box.close(resolve);
      for (const socket of sockets) socket.destroy();
    });
  return wall;
}
