// Three servers behind a load balancer with the configurations of docs/cluster.md: every connection finds a node.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { APP, Fanfare, ONE_APP } from '../e2e/support/fanfare.js';
import { sdkFor } from '../e2e/support/scene.js';
import { until } from '../e2e/support/waiting.js';
import { freePort, Running } from './support/processes.js';
import { STARTS } from './support/proxies.js';
import { Redis } from './support/redis.js';
import { replaced, snippet } from './support/snippet.js';

const BALANCERS = {
  nginx: {
    title: '/etc/nginx/sites-available/fanfare',
    near: (port) => [
      ['listen 80;', `listen 127.0.0.1:${port};`],
      ['server_name ws.example.com;', 'server_name localhost;'],
    ],
    start: STARTS.nginx,
  },
  HAProxy: {
    title: '/etc/haproxy/haproxy.cfg',
    near: (port) => [['bind :80', `bind 127.0.0.1:${port}`]],
    async start(text, directory) {
      const file = path.join(directory, 'haproxy.cfg');
      await writeFile(file, text);
      return new Running('haproxy', ['-db', '-f', file]);
    },
  },
  Caddy: {
    title: '/etc/caddy/Caddyfile',
    near: (port) => [['ws.example.com {', `http://localhost:${port} {\n bind 127.0.0.1`]],
    start: STARTS.caddy,
  },
};

/** An upgraded connection through the balancer. */
function connect(port) {
  const headers = {
    Host: `localhost:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  return new Promise((resolve, reject) => {
    const asked = get({ host: '127.0.0.1', port, path: `/app/${APP.key}?protocol=7`, headers });
    asked.on('upgrade', (_, socket, head) => {
      socket.unshift(head);
      resolve(socket.on('error', () => {}));
    });
    asked.on('response', (response) => reject(new Error(`answered ${response.statusCode}`)));
    asked.on('error', reject);
  });
}

/** How many connections a node has. */
async function connectionsOf(node) {
  const text = await (await fetch(new URL('/metrics', node.adminUrl))).text();
  return Number(/^fanfare_connections\{[^}]*\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** The first message of an upgraded connection. */
async function greeting(socket) {
  const [bytes] = await once(socket, 'data');
  return bytes.toString('latin1');
}

for (const [name, balancer] of Object.entries(BALANCERS)) {
  test(`${name}: clients and back ends find every node, and the others when one goes`, { timeout: 60_000 }, async (t) => {
    const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-balancer-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const redis = await Redis.start();
    t.after(() => redis.stop());
    const config = ONE_APP.replace('drain = 1', `drain = 3\n\n[bus]\nurls = ["${redis.url}"]`);
    const nodes = await Promise.all([1, 2, 3].map(() => Fanfare.start({ config })));
    let running = nodes;
    t.after(() => Promise.all(running.map((node) => node.stop())));
    const port = await freePort();
    const addresses = nodes.map((node, at) => [`10.0.0.1${at + 1}:6001`, node.address]);
    const text = replaced(await snippet('cluster.md', balancer.title), [...addresses, ...balancer.near(port)]);
    const front = await balancer.start(text, directory);
    t.after(() => front.stop());
    const up = async () => (await fetch(`http://localhost:${port}/up`)).ok;
    await front.readyWhen(up, `${name} forwards`);

    const sockets = [];
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    for (let count = 0; count < 9; count += 1) sockets.push(await connect(port));
    const counts = await until(async () => {
      const found = await Promise.all(nodes.map(connectionsOf));
      return found.reduce((sum, one) => sum + one) === 9 && found;
    }, 'nine connections');
    assert.ok(counts.every((count) => count > 0), `the nodes have ${counts}`);
    const sdk = sdkFor({ host: 'localhost', port });
    assert.equal((await sdk.trigger('news', 'e', {})).status, 200);

    const [gone, ...rest] = nodes;
    running = rest;
    const stopped = gone.stop();
    await until(async () => (await fetch(new URL('/ready', gone.adminUrl))).status === 503, 'the drain');
    // While the node drains, nobody who comes hears of it (CL-071).
    for (let count = 0; count < 6; count += 1) {
      const socket = await connect(port);
      sockets.push(socket);
      assert.match(await greeting(socket), /pusher:connection_established/);
      assert.equal((await sdk.trigger('news', 'e', {})).status, 200);
    }
    await stopped;
    for (let count = 0; count < 6; count += 1) sockets.push(await connect(port));
    for (let count = 0; count < 6; count += 1) assert.equal((await sdk.trigger('news', 'e', {})).status, 200);
  });
}
