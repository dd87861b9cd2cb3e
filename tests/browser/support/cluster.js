// A cluster: the configuration of its nodes, with a Redis and a Postgres of the test's own, which end behind all tests of the file.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';

import { APP } from '../../e2e/support/fanfare.js';
import { until } from '../../e2e/support/waiting.js';
import { freePort } from '../../laravel/support/processes.js';

const run = promisify(execFile);

/** How long a server may take to start, in milliseconds. */
const PATIENCE = 60_000;

/** A folder of the test's own, and a program in it that is stopped before the folder goes. */
async function folderOf(owner) {
  const folder = await mkdtemp(path.join(tmpdir(), 'fanfare-browser-'));
  if (owner) await chown(folder, owner.uid, owner.gid);
  const running = [];
  after(async () => {
    for (const child of running) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGQUIT');
      await once(child, 'close');
    }
    await rm(folder, { recursive: true, force: true });
  });
  const start = (program, args) => {
    const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], ...owner });
    child.said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (child.said += text));
    running.push(child);
    return child;
  };
  return { folder, start };
}

async function startRedis() {
  const { start } = await folderOf();
  const port = await freePort();
  const server = start(process.env.FANFARE_REDIS_SERVER ?? 'redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '']);
  await until(() => /Ready to accept connections/.test(server.said), 'Redis', PATIENCE);
  return `redis://127.0.0.1:${port}`;
}

/** The folder with the newest server, of the packages or on the PATH. */
async function programsOfPostgres() {
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  const newest = versions.map(Number).filter(Boolean).sort((one, other) => other - one)[0];
  return newest ? `/usr/lib/postgresql/${newest}/bin/` : '';
}

/** Postgres does not run as root. */
async function userOfPostgres() {
  if (process.getuid() !== 0) return undefined;
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (what) => Number((await run('id', [what, 'postgres'])).stdout)));
  return { uid, gid };
}

async function startPostgres() {
  const [programs, owner] = [await programsOfPostgres(), await userOfPostgres()];
  const { folder, start } = await folderOf(owner);
  const words = ['--pgdata=data', '--username=fanfare', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
  await run(`${programs}initdb`, words, { cwd: folder, ...owner });
  const port = await freePort();
  const own = ['listen_addresses=127.0.0.1', 'fsync=off', 'shared_buffers=16MB'].flatMap((setting) => ['-c', setting]);
  const server = start(`${programs}postgres`, ['-D', 'data', '-p', String(port), '-k', '.', ...own]);
  await until(() => server.said.includes('ready to accept connections'), 'Postgres', PATIENCE);
  return `postgres://fanfare@127.0.0.1:${port}/postgres`;
}

/** Starts what a cluster shares; gives the configuration of a node by its name. */
export async function startCluster() {
  const [redis, database] = await Promise.all([startRedis(), startPostgres()]);
  return (name) => `
[timeouts]
drain = 1

[bus]
urls = ["${redis}"]
node_name = "${name}"

[apps]
database = "${database}"

[[apps.list]]
id = "${APP.id}"
key = "${APP.key}"
secret = "${APP.secret}"
`;
}

/** Resolves when the node knows of so many, itself among them. */
export const knows = (node, count) => until(async () => (await node.metric('fanfare_cluster_nodes')) === count, 'the other nodes', PATIENCE);
