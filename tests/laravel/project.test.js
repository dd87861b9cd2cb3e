// From a project unchanged: `fanfare laravel env` prints what the application has, its `.env` is all the
// configuration of Fanfare, and the doctor finds no fault.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { inbox, subscription } from '../e2e/support/echo.js';
import { BINARY, ONE_APP } from '../e2e/support/fanfare.js';
import { Scene } from '../e2e/support/scene.js';
import { askingWithCookie } from './support/laravel.js';
import { freePort, run } from './support/processes.js';
import { Redis } from './support/redis.js';
import { startLaravel, test } from './support/scene.js';

const BARE = { env: { PATH: process.env.PATH } };

/** The printed lines for an app whose server listens on this port: `.env`, connection, and the options of Echo. */
async function printed(t, driver, port) {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-printed-'));
  t.after(() => rm(directory, { recursive: true }));
  const config = path.join(directory, 'fanfare.toml');
  await writeFile(config, ONE_APP);
  const args = ['laravel', 'env', '--driver', driver, '--config', config, '--listen', `127.0.0.1:${port}`];
  const [dotenv, connection, script] = (await run(BINARY, args, BARE)).split(/^(?:#|\/\/) (?:\.env|config|Browser).*\n/m).slice(1);
  const env = Object.fromEntries([...dotenv.matchAll(/^(\w+)="?(.*?)"?$/gm)].map(([, name, value]) => [name, value]));
  const filled = (value) => value.replace(/\$\{(\w+)\}/g, (_, name) => env[name]);
  const built = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, filled(value)]));
  const [, options] = /new Echo\((\{[^]*\})\)/.exec(script);
  const echo = new Function('env', `return ${options.replaceAll('import.meta.env', 'env')}`)(built);
  return { env, connection, echo };
}

/** The application with the printed lines, and Fanfare with the application's `.env`. */
async function open(t, driver, changes = {}) {
  const lines = await printed(t, driver, await freePort());
  const app = await startLaravel(t, { env: { ...lines.env, ...changes }, connections: lines.connection });
  const scene = await Scene.open(t, { laravel: app.directory, config: '[timeouts]\ndrain = 1\n' });
  assert.equal(String(scene.server.port), lines.env.PUSHER_PORT, 'it listens where PHP sends to');
  return Object.assign(scene, { app, options: lines.echo, cookie: await app.login('Ann') });
}

/** Has the application ship an order while `listens`, and gives the event on a private channel. */
async function shipped(scene, endpoint) {
  const echo = await scene.echo({ ...scene.options, ...askingWithCookie(endpoint, scene.cookie) });
  const orders = echo.private('orders.1');
  const heard = inbox('OrderShipped', (put) => orders.listen('OrderShipped', put));
  await subscription(orders);
  await scene.app.post('/orders/1/ship');
  return heard.next();
}

/** The doctor's findings, by hop, while the application broadcasts. */
async function examined(scene, ...options) {
  const args = ['doctor', '--laravel', scene.app.directory, '--json', ...options];
  let ended = false;
  const report = run(BINARY, args, BARE).finally(() => (ended = true));
  const broadcasting = (async () => {
    while (!ended) await scene.app.post('/orders/1/ship');
  })();
  const hops = JSON.parse(await report);
  await broadcasting;
  return Object.fromEntries(hops.map(({ hop, outcome }) => [hop, outcome]));
}

const ALL_WELL = {
  TCP: 'passed',
  'WebSocket upgrade': 'passed',
  'app key': 'passed',
  signature: 'passed',
  clock: 'passed',
  'publish and receive': 'passed',
  'HTTP fallback': 'passed',
  'file descriptors': 'noted',
};

test('a project with the pusher driver needs no other configuration', async (t) => {
  const scene = await open(t, 'pusher');
  assert.equal((await shipped(scene, `${scene.app.url}/broadcasting/auth`)).id, 1);
  const found = await examined(scene, '--channel', 'private-orders.1', '--cookie', scene.cookie);
  assert.deepEqual(found, { ...ALL_WELL, Redis: 'skipped', authorization: 'passed' });
});

test('a project with the redis driver needs no other configuration', async (t) => {
  const redis = await Redis.start();
  t.after(() => redis.stop());
  const scene = await open(t, 'redis', { REDIS_PORT: redis.port });
  await redis.listenedTo();
  assert.equal((await shipped(scene, scene.options.authEndpoint)).id, 1);
  const found = await examined(scene, '--channel', 'private-orders.1', '--cookie', scene.cookie, '--watch', '2');
  assert.deepEqual(found, { ...ALL_WELL, Redis: 'passed', 'Redis prefix': 'passed', authorization: 'passed' });
});
