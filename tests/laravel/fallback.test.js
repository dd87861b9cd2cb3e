// What comes without WebSockets behind proxies, as documented, with buffers and compressed: pusher-js, and Socket.IO.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { inbox } from '../e2e/support/echo.js';
import { APP, Fanfare, ONE_APP, appWith } from '../e2e/support/fanfare.js';
import { Scene, sdkFor, test } from '../e2e/support/scene.js';
import { ECHOES, io } from '../e2e/support/socket_io.js';
import { inboxOf, inState, subscribed, until, withDeadline } from '../e2e/support/waiting.js';
import { freePort } from './support/processes.js';
import { PROXIES, STARTS, startProxy } from './support/proxies.js';
import { Redis } from './support/redis.js';
import { replaced, snippet } from './support/snippet.js';

// A session lives on one node; what has `tls` in it is no pair.
const ONE_NODE = `[socketio]\nenabled = true\n${appWith('force_tls = false')}`;

/** The documented text, with more directives behind one that the page has or the tests have put there. */
const withMore = (proxy, place, directives) => ({
  ...proxy,
  ownHost: (text, options) => replaced(proxy.ownHost(text, options), [[place, `${place}\n${directives}`]]),
});
const nginxWith = (directives) => withMore(PROXIES.nginx, 'proxy_read_timeout 180s;', directives);

/** A server behind the proxy, `withPath` at a path of an application's host; `place` is where clients find the proxy. */
async function open(t, proxy, { withPath = false } = {}) {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-fallback-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const scene = await Scene.open(t, { config: ONE_NODE });
  const port = await freePort();
  const running = await startProxy(proxy, {
    directory,
    port,
    fanfare: scene.server.address,
    app: withPath ? 'http://127.0.0.1:9' : undefined,
  });
  t.after(() => running.stop());
  const url = `http://localhost:${port}/${withPath ? 'ws/' : ''}`;
  await running.readyWhen(() => fetch(`${url}up`).then(({ status }) => status === 200, () => false), 'the proxy');
  return { scene, url, place: { httpHost: 'localhost', httpPort: port } };
}

/** More than one stream is allowed to carry, in order. */
async function expectEvents(scene, pusher) {
  const news = pusher.subscribe('presence-news');
  await subscribed(news);
  const events = inboxOf(news, 'e');
  const errors = inboxOf(pusher.connection, 'error');
  for (let n = 0; n < 75; n++) await scene.sdk.trigger('presence-news', 'e', { n, text: 'é'.repeat(4000) });
  for (let n = 0; n < 75; n++) assert.equal((await events.next()).n, n);
  assert.deepEqual(errors.all, []);
}

const BOTH = ['xhr_streaming', 'xhr_polling'];
const HOLDS_BACK = 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;';

for (const [what, proxy, transports] of [
  ['nginx as documented', PROXIES.nginx, BOTH],
  ['nginx with proxy_buffering off', nginxWith('proxy_buffering off;'), BOTH],
  ['nginx with proxy_buffering on, which the answer overrules', nginxWith('proxy_buffering on;'), BOTH],
  ['nginx that buffers in spite of the answer', nginxWith(HOLDS_BACK), ['xhr_polling']],
  ['Caddy as documented', PROXIES.caddy, BOTH],
  ['Apache as documented', PROXIES.apache, BOTH],
]) {
  for (const transport of transports) {
    test(`${what}: ${transport} carries events of more than 256 KiB`, async (t) => {
      const { scene, place } = await open(t, proxy);
      const pusher = scene.connecting({ user: { user_id: 'ann' }, ...place, enabledTransports: [transport] });
      await inState(pusher, 'connected', 40_000);
      assert.equal(pusher.connection.connection.transport.name, transport);
      await expectEvents(scene, pusher);
    });
  }
}

/** Gives the messages of a streamed answer as they come, as many as pusher-js takes from one. */
async function* messagesOf(answer) {
  let rest = '';
  let length = 0;
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines.filter((each) => each.startsWith('a'))) {
      yield* JSON.parse(line.slice(1)).map((text) => JSON.parse(text));
    }
    length += chunk.length;
    if (rest === '' && length > 256 * 1024) return;
  }
}

for (const [what, proxy, encoding] of [
  ['nginx', nginxWith('gzip on; gzip_types *;'), 'gzip'],
  ['Caddy', withMore(PROXIES.caddy, 'bind 127.0.0.1', await snippet('behind-caddy.md', 'in a block that compresses')), null],
  ['Apache', PROXIES.apache, 'gzip'],
]) {
  test(`${what} that compresses as documented: each stream of a session carries each event as it comes`, async (t) => {
    const { scene, url } = await open(t, proxy);
    const asked = new AbortController();
    t.after(() => asked.abort());
    const ask = (path, body) =>
      // Node asks for compression, as browsers do.
      fetch(`${url}pusher/app/${APP.key}/123/abcdefgh/${path}`, { method: 'POST', body, signal: asked.signal });
    const stream = async () => {
      const answer = await ask('xhr_streaming?protocol=7&client=js&version=8.6.0');
      assert.deepEqual([answer.status, answer.headers.get('content-encoding')], [200, encoding]);
      return messagesOf(answer);
    };
    let messages = await stream();
    const next = async () => (await withDeadline(messages.next(), 'a message')).value;
    assert.equal((await next()).event, 'pusher:connection_established');
    await ask('xhr_send', JSON.stringify([JSON.stringify({ event: 'pusher:subscribe', data: { channel: 'news' } })]));
    assert.equal((await next()).event, 'pusher_internal:subscription_succeeded');
    await scene.sdk.trigger('news', 'e', 'first');
    assert.equal((await next()).data, 'first');
    // More than one stream carries: the next begins with what waits.
    const text = 'x'.repeat(9_000);
    for (let n = 0; n < 32; n++) await scene.sdk.trigger('news', 'e', { n, text });
    for (let n = 0; n < 32; n++) {
      const message = (await next()) ?? ((messages = await stream()) && (await next()));
      assert.equal(JSON.parse(message.data).n, n);
    }
    await scene.sdk.trigger('news', 'e', 'last');
    assert.equal((await next()).data, 'last');
  });
}

for (const [name, proxy] of Object.entries(PROXIES)) {
  for (const transports of [['polling'], ['polling', 'websocket']]) {
    test(`${name}: Socket.IO by ${transports.join(' and ')} hears what the application sends`, async (t) => {
      const { scene, url } = await open(t, proxy);
      const heard = [];
      for (const [version, Echo] of Object.entries(ECHOES)) {
        const echo = scene.adopt(new Echo({ broadcaster: 'socket.io', client: io, host: url, transports, forceNew: true }));
        heard.push(inbox(version, (put) => echo.channel('news').listen('.e', put)));
        const by = () => echo.connector.socket.io.engine.transport.name;
        await until(async () => echo.socketId() && by() === transports.at(-1), `${version} by ${transports.at(-1)}`);
      }
      await until(async () => (await scene.server.metric('fanfare_subscriptions')) === 2, 'both subscriptions');
      const text = 'é'.repeat(4000);
      for (let n = 0; n < 30; n++) await scene.sdk.trigger('news', 'e', { n, text });
      for (let n = 0; n < 30; n++) for (const one of heard) assert.deepEqual(await one.next(), { n, text });
    });
  }
}

for (const [name, proxy] of Object.entries(PROXIES)) {
  test(`${name}, a path of the application: pages get through without WebSockets, and by Socket.IO`, async (t) => {
    const { scene, place } = await open(t, proxy, { withPath: true });
    const transport = { httpPath: '/ws/pusher', enabledTransports: ['xhr_streaming'] };
    const pusher = scene.connecting({ user: { user_id: 'ann' }, ...place, ...transport });
    await inState(pusher, 'connected', 40_000);
    await expectEvents(scene, pusher);
    const host = `http://localhost:${place.httpPort}`;
    const own = { host, path: '/ws/socket.io', transports: ['polling', 'websocket'], forceNew: true };
    const echo = scene.adopt(new ECHOES['Echo 2']({ broadcaster: 'socket.io', client: io, ...own }));
    const heard = inbox('an event', (put) => echo.channel('news').listen('.e', put));
    await until(async () => (await scene.server.metric('fanfare_subscriptions')) === 2, 'the subscription');
    await scene.sdk.trigger('news', 'e', 1);
    assert.equal(await heard.next(), 1);
  });
}

/** Three nodes behind nginx, which chooses among them by the documented upstream; `config` is theirs beside the cluster's. */
async function openThree(t, { page, title, config = '' }) {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-fallback-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const redis = await Redis.start();
  t.after(() => redis.stop());
  // The first node is the scene's, which closes its clients before its servers.
  const whole = config + ONE_APP.replace('drain = 1', `drain = 1\n\n[bus]\nurls = ["${redis.url}"]`);
  const start = () => Fanfare.start({ config: whole });
  const [scene, ...others] = await Promise.all([Scene.open(t, { config: whole }), start(), start()]);
  t.after(() => Promise.all(others.map((node) => node.stop())));
  const nodes = [scene.server, ...others];
  const port = await freePort();
  const chosen = await snippet(page, title);
  const text = (await snippet('cluster.md', '/etc/nginx/sites-available/fanfare')).replace(/^upstream fanfare {$[^]*?^}$/m, chosen);
  const site = replaced(text, [
    ...nodes.map((node, at) => [`10.0.0.1${at + 1}:6001`, node.address]),
    ['listen 80;', `listen 127.0.0.1:${port};`],
  ]);
  await mkdir(directory, { recursive: true });
  const running = await STARTS.nginx(site, directory);
  t.after(() => running.stop());
  await running.readyWhen(() => fetch(`http://127.0.0.1:${port}/up`).then(({ ok }) => ok, () => false), 'nginx');
  return { scene, nodes, port };
}

/** Each node sends an event, and every inbox gets all of them. */
async function expectFromAll(nodes, inboxes) {
  for (const [n, node] of nodes.entries()) await sdkFor(node).trigger('news', 'e', n);
  for (const inbox of inboxes) {
    const got = [await inbox.next(), await inbox.next(), await inbox.next()];
    assert.deepEqual(got.sort(), [0, 1, 2]);
  }
}

/** So many of these are on the nodes together, and not all on one. */
async function expectSpread(nodes, metric, count) {
  const there = await Promise.all(nodes.map((node) => node.metric(metric)));
  assert.equal(there.reduce((sum, one) => sum + one), count);
  assert.ok(there.filter((one) => one > 0).length > 1, `the nodes have ${there}`);
}

test('fallback_023 nginx chooses the node by the session, and sessions hear of all nodes', async (t) => {
  const { scene, nodes, port } = await openThree(t, {
    page: 'http-fallback.md',
    title: 'by session, in place of the upstream',
  });
  for (const transport of BOTH) {
    const place = { httpHost: '127.0.0.1', httpPort: port, enabledTransports: [transport] };
    const clients = Array.from({ length: 6 }, () => scene.connecting(place));
    await Promise.all(clients.map((client) => inState(client, 'connected', 40_000)));
    const channels = clients.map((client) => client.subscribe('news'));
    await Promise.all(channels.map(subscribed));
    await expectFromAll(nodes, channels.map((channel) => inboxOf(channel, 'e')));
  }
  await expectSpread(nodes, 'fanfare_fallback_sessions', 12);
});

test('sio_107 nginx chooses the node by the address, and sessions of Socket.IO hear of all nodes', async (t) => {
  const { scene, nodes, port } = await openThree(t, {
    page: 'socket-io.md',
    title: 'by address, in place of the upstream',
    config: '[socketio]\nenabled = true\n',
  });
  const inboxes = Array.from({ length: 12 }, (_, at) => {
    const agent = new Agent({ localAddress: `127.0.0.${at + 2}`, keepAlive: true });
    const transports = at % 2 ? ['polling'] : ['polling', 'websocket'];
    const own = { host: `http://127.0.0.1:${port}`, transports, agent, forceNew: true };
    const echo = scene.adopt(new ECHOES['Echo 2']({ broadcaster: 'socket.io', client: io, ...own }));
    return inbox(`an event at ${at}`, (put) => echo.channel('news').listen('.e', put));
  });
  const subscriptions = async () => {
    const there = await Promise.all(nodes.map((node) => node.metric('fanfare_subscriptions')));
    return there.reduce((sum, one) => sum + one);
  };
  await until(async () => (await subscriptions()) === inboxes.length, 'all subscriptions');
  await expectFromAll(nodes, inboxes);
  await expectSpread(nodes, 'fanfare_connections', inboxes.length);
  const ended = await Promise.all(nodes.map((node) => node.metric('fanfare_closes_total')));
  assert.deepEqual(ended, [0, 0, 0], 'no session has begun anew');
});
