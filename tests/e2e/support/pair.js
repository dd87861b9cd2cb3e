// The same tests over two nodes: with E2E_BUS set to the URL of a Redis, a scene's server is a pair behind a balancer
// without stickiness, which gives every new connection to the other node.
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import PusherSdk from 'pusher';

import { APP, Fanfare, ONE_APP } from './fanfare.js';
import { until } from './waiting.js';

const BUS = process.env.E2E_BUS;
/** Tests that are about one node by their nature, each with the reason. They are not run where servers come in pairs. */
const OF_ONE_NODE = new Map([
  ['hook_003 auth_050 the SDK takes our requests for valid and gives their events', 'kinds of webhooks have no common order'],
  ['a disabled app and a full one refuse with 4003 and 4004', 'the quota of connections is known on other nodes a moment later'],
  ['api_013 api_026 info comes back for triggers and batches', 'a number may lag a moment behind on another node'],
  ['ws_062 only who signs in or joins a private channel in time may stay', 'as before'],
]);

/** Why the test cannot run here, if it cannot. */
export const reasonToSkip = (name) => (BUS ? OF_ONE_NODE.get(name) : undefined);

let started = 0;
const running = new Set();

/** Resolves when each node has told the cluster all that it has, and has sent all events that it had accepted. */
export async function settle() {
  for (const pair of running) {
    for (const { host, port } of pair.nodes) {
      const sdk = new PusherSdk({ appId: APP.id, key: APP.key, secret: APP.secret, host, port: String(port), useTLS: false });
      await sdk.get({ path: '/channels' }).catch(() => {});
    }
  }
}

/** A server as the test asks for, or two of them where servers come in pairs and nothing speaks against it. */
export async function startServer(options = {}) {
  const { config = ONE_APP, env = {}, listen, laravel } = options;
  const against = /\[bus\]|database|tls|redis_feed/i.test(config + Object.keys(env).join());
  if (!BUS || listen || laravel || against) return Fanfare.start(options);
  return Pair.start(options, config);
}

class Pair {
  #balancer;
  #sockets = new Set();

  static async start(options, config) {
    const prefix = `e2e${process.pid}-${started++}:`;
    // Before the tables of apps, which have to come last.
    const bus = `[bus]\nurls = ["${BUS}"]\nprefix = "${prefix}"\npartitions = 2\n\n[[apps.list]]`;
    const shared = { ...options, config: config.replace('[[apps.list]]', bus) };
    const pair = new Pair();
    pair.nodes = await Promise.all([Fanfare.start(shared), Fanfare.start(shared)]);
    await Promise.all(pair.nodes.map((node) => until(() => isReady(node), 'a node in the cluster')));
    const knowsBoth = async (node) => (await node.metric('fanfare_cluster_nodes')) === 2;
    await Promise.all(pair.nodes.map((node) => until(() => knowsBoth(node), 'the other node')));
    await age(prefix);
    await pair.#listen();
    running.add(pair);
    return pair;
  }

  async #listen() {
    let turn = 0;
    this.#balancer = createServer((client) => {
      const { port, host } = this.nodes[turn++ % this.nodes.length];
      const upstream = connect(port, host);
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ]) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on('error', () => to.destroy());
        from.on('close', () => this.#sockets.delete(from));
      }
    });
    this.#balancer.listen(0, '127.0.0.1');
    await once(this.#balancer, 'listening');
    this.url = new URL(`http://127.0.0.1:${this.#balancer.address().port}`);
    this.adminUrl = this.nodes[0].adminUrl;
  }

  get address() {
    return this.url.host;
  }

  get host() {
    return this.url.hostname;
  }

  get port() {
    return Number(this.url.port);
  }

  get stdout() {
    return this.nodes.map((node) => node.stdout).join('');
  }

  get stderr() {
    return this.nodes.map((node) => node.stderr).join('--- the other node\n');
  }

  /** Added up over both nodes. */
  async metric(name, labels) {
    const values = await Promise.all(this.nodes.map((node) => node.metric(name, labels)));
    return values.reduce((sum, value) => sum + value, 0);
  }

  async stop() {
    running.delete(this);
    const ended = await Promise.allSettled(this.nodes.map((node) => node.stop()));
    this.#balancer.close();
    for (const socket of this.#sockets) socket.destroy();
    const failed = ended.find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  }
}

async function isReady(node) {
  return (await fetch(new URL('/ready', node.adminUrl))).ok;
}

/** Lets the cluster be an old one: webhooks of a young one wait until every node must have said who is there. */
async function age(prefix) {
  const script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('HSET', key, 'born', 1) end";
  await promisify(execFile)('redis-cli', ['-u', BUS, 'EVAL', script, '0', `${prefix}*:epoch`]);
}
