// A page and an application of laravel-echo-server, both unchanged, with Fanfare in its place.
//
// With `LARAVEL_ECHO_SERVER=/path/to/bin/server.js` the same tests run against laravel-echo-server itself.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { inbox } from '../e2e/support/echo.js';
import { ECHOES, io } from '../e2e/support/socket_io.js';
import { BINARY } from '../e2e/support/fanfare.js';
import { until } from '../e2e/support/waiting.js';
import { Running, freePort } from './support/processes.js';
import { Redis } from './support/redis.js';
import { DEFAULT_PREFIX, startLaravel, test } from './support/scene.js';

const ORIGINAL = process.env.LARAVEL_ECHO_SERVER;

const CLIENT = { appId: '8cba56e4bc8a7a03', key: 'ce1bd2a9f8e0c6b1d2a3f4e5c6b7a8d9' };

/** A file as `laravel-echo-server init` writes it. */
const settings = (port, app, redis) => ({
  authHost: app.url,
  authEndpoint: '/api/broadcasting/auth',
  clients: [CLIENT],
  database: 'redis',
  databaseConfig: {
    redis: { host: '127.0.0.1', port: String(redis.port), keyPrefix: DEFAULT_PREFIX },
    sqlite: { databasePath: '/database/laravel-echo-server.sqlite' },
  },
  devMode: false,
  host: '127.0.0.1',
  port: String(port),
  protocol: 'http',
  socketio: {},
  secureOptions: 67108864,
  sslCertPath: '',
  sslKeyPath: '',
  sslCertChainPath: '',
  sslPassphrase: '',
  subscribers: { http: true, redis: true },
  apiOriginAllow: { allowCors: false, allowOrigin: '', allowMethods: '', allowHeaders: '' },
});

/** The application with its `redis` driver, and the server in front of its pages. */
async function open(t) {
  const redis = await Redis.start();
  t.after(() => redis.stop());
  const app = await startLaravel(t, {
    env: { BROADCAST_DRIVER: 'redis', REDIS_PORT: redis.port, REDIS_CLIENT: 'phpredis' },
  });
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-echo-server-'));
  const port = await freePort();
  const file = path.join(directory, 'laravel-echo-server.json');
  await writeFile(file, JSON.stringify(settings(port, app, redis), null, '\t'));
  const [program, ...args] = ORIGINAL
    ? ['node', ORIGINAL, 'start', '--dir', directory]
    : [BINARY, 'serve', '--laravel-echo-server', file, '--admin-listen', '127.0.0.1:0'];
  const server = new Running(program, args, { cwd: directory, env: { PATH: process.env.PATH } });
  await server.readyWhen(() => accepts(port), 'the server');
  await redis.listenedTo();
  const pages = [];
  t.after(async () => {
    for (const page of pages) page.disconnect();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
    if (!ORIGINAL) t.diagnostic(server.output);
  });
  const page = async (token, { Echo = ECHOES['Echo 2'], transports = ['polling', 'websocket'] } = {}) => {
    const headers = { Authorization: `Bearer ${token}` };
    const host = `http://127.0.0.1:${port}`;
    const echo = new Echo({ broadcaster: 'socket.io', client: io, host, transports, forceNew: true, auth: { headers } });
    pages.push(echo);
    await until(async () => echo.socketId(), 'the connection');
    return echo;
  };
  return { app, page, port, server };
}

const accepts = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.end() && true));
    socket.once('error', () => resolve(false));
  });

/** Sends broadcasts until one has arrived: nothing tells a page of this kind that it is subscribed. */
async function whenSubscribed(heard, broadcast) {
  await until(async () => {
    await broadcast();
    return heard.all.length > 0;
  }, heard.name);
}

const WAYS = [['polling', 'websocket'], ['websocket'], ['polling']];
const PAGES = Object.keys(ECHOES).flatMap((version) => WAYS.map((transports) => ({ version, transports })));

for (const { version, transports } of PAGES) {
  const by = `${version} by ${transports.join(' and ')}`;
  test(`laravel-echo-server's page, ${by}: events, whispers, presence, toOthers`, async (t) => {
    const { app, page } = await open(t);
    const options = { Echo: ECHOES[version], transports };
    const [ann, bob] = [await page('token-of-ann', options), await page('token-of-bob', options)];

    const shipped = inbox('OrderShipped', (put) => ann.channel('orders').listen('OrderShipped', put));
    await whenSubscribed(shipped, () => app.post('/orders/1/ship'));
    assert.equal((await shipped.next()).id, 1);
    const privately = inbox('a private OrderShipped', (put) => ann.private('orders.1').listen('OrderShipped', put));
    await whenSubscribed(privately, () => app.post('/orders/1/ship'));
    assert.equal((await privately.next()).id, 1);

    const denied = inbox('the denial', (put) => bob.private('orders.1').on('subscription_error', put));
    assert.equal(await denied.next(), 403);

    const atAnn = ann.join('room.7');
    const here = inbox('here', (put) => atAnn.here(put));
    const joining = inbox('joining', (put) => atAnn.joining(put));
    const leaving = inbox('leaving', (put) => atAnn.leaving(put));
    assert.deepEqual(await here.next(), [{ id: 1, name: 'Ann' }]);
    const atBob = bob.join('room.7');
    const bobHere = inbox("Bob's here", (put) => atBob.here(put));
    const names = (await bobHere.next()).map((member) => member.name).sort();
    assert.deepEqual(names, ['Ann', 'Bob']);
    assert.deepEqual(await joining.next(), { id: 2, name: 'Bob' });

    const typing = inbox('a whisper', (put) => atAnn.listenForWhisper('typing', put));
    atBob.whisper('typing', { name: 'Bob' });
    assert.deepEqual(await typing.next(), { name: 'Bob' });

    const [annHears, bobHears] = [atAnn, atBob].map((room) => inbox('a message', (put) => room.listen('.message.sent', put)));
    await app.post('/rooms/7/messages', { body: { text: 'to others' }, socketId: ann.socketId() });
    await app.post('/rooms/7/messages', { body: { text: 'to all' } });
    assert.equal((await bobHears.next()).text, 'to others');
    assert.equal((await bobHears.next()).text, 'to all');
    assert.equal((await annHears.next()).text, 'to all');

    bob.leave('room.7');
    assert.deepEqual(await leaving.next(), { id: 2, name: 'Bob' });
  });
}

test("laravel-echo-server's HTTP API: an event with a client's key reaches the page, and without one nobody", async (t) => {
  const { page, port } = await open(t);
  const echo = await page('token-of-ann');
  const heard = inbox('news', (put) => echo.channel('news').listen('.news', put));
  const publish = (key) =>
    fetch(`http://127.0.0.1:${port}/apps/${CLIENT.appId}/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel: 'news', name: 'news', data: { text: 'Grüße ☃' } }),
    });
  await whenSubscribed(heard, async () => assert.equal((await publish(CLIENT.key)).status, 200));
  assert.deepEqual(await heard.next(), { text: 'Grüße ☃' });
  assert.equal((await publish('wrong')).status, 403);
});
