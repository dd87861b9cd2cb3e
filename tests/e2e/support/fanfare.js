// Starts the built binary, reads its output and stops it again.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { until, withDeadline } from './waiting.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const BINARY = path.resolve(process.env.FANFARE_BIN ?? path.join(ROOT, 'target/debug/fanfare'));

/** The credentials of Pusher's own documentation. */
export const APP = { id: '3', key: '278d425bdf160c739803', secret: '7ad3773142a6692b25b8' };

/** One app, and a short drain. */
export const ONE_APP = `
[timeouts]
drain = 1

[[apps.list]]
id = "${APP.id}"
key = "${APP.key}"
secret = "${APP.secret}"
`;

/** The same with more settings of the app, each a line of TOML. */
export const appWith = (...settings) => `${ONE_APP}${settings.join('\n')}\n`;

/** A running server: the printed addresses, the output, and ways to query and stop the server. */
export class Fanfare {
  #child;
  #exit;
  #directory;
  stdout = '';
  stderr = '';

  /**
   * Resolves when both ports accept. `config` is the text of the configuration file, `env` is added to an
   * otherwise bare environment, `listen` and `adminListen` are HOST:PORT (port 0: a free one). With a Laravel
   * project in `laravel` the server listens at the project's address.
   */
  static async start({ config = ONE_APP, env = {}, laravel, listen = '127.0.0.1:0', adminListen = '127.0.0.1:0' } = {}) {
    const server = new Fanfare();
    server.#directory = await mkdtemp(path.join(tmpdir(), 'fanfare-e2e-'));
    const file = path.join(server.#directory, 'fanfare.toml');
    await writeFile(file, config);
    const ports = [...(laravel ? ['--laravel', laravel] : ['--listen', listen]), '--admin-listen', adminListen];
    server.#run(['serve', '--config', file, ...ports, '--data-dir', path.join(server.#directory, 'data')], env);
    await server.#ready();
    return server;
  }

  #run(args, env) {
    this.#child = spawn(BINARY, args, {
      cwd: this.#directory,
      env: { PATH: process.env.PATH, RUST_BACKTRACE: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    this.#child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    this.#exit = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => resolve(code ?? signal));
    });
  }

  async #ready() {
    const line = until(() => this.stdout.includes('\n') && this.stdout.split('\n')[0], 'the ready line');
    const first = await Promise.race([line, this.#exit.then((status) => this.#fail(`exited with ${status}`))]).catch(
      async (error) => {
        this.#child.kill('SIGKILL');
        await this.#clear();
        this.#fail(error.message);
      },
    );
    const found = /^Fanfare is ready: (http:\/\/\S+?)(?:, (https:\/\/\S+))? \(admin (http:\/\/\S+)\)$/.exec(first);
    if (!found) {
      this.#child.kill('SIGKILL');
      this.#fail(`the first line is not the ready line: ${first}`);
    }
    this.url = new URL(found[1]);
    this.tlsUrl = found[2] && new URL(found[2]);
    this.adminUrl = new URL(found[3]);
  }

  #fail(why) {
    throw new Error(`${BINARY}: ${why}\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`);
  }

  /** HOST:PORT of the listener for clients, to start another server at the same address. */
  get address() {
    return this.url.host;
  }

  get host() {
    return this.url.hostname;
  }

  get port() {
    return Number(this.url.port);
  }

  /** Stops the server with SIGTERM; fails unless the exit status is 0. */
  async stop() {
    this.#child.kill('SIGTERM');
    let status;
    try {
      status = await withDeadline(this.#exit, 'the end after SIGTERM', 15_000);
    } catch (error) {
      this.#child.kill('SIGKILL');
      this.#fail(error.message);
    } finally {
      await this.#clear();
    }
    if (status !== 0) this.#fail(`exited with ${status} after SIGTERM`);
  }

  /** Ends the server at once, as `kill -9` does. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#exit;
    await this.#clear();
  }

  /** Runs a command of the binary for this server; gives the output. */
  async command(...args) {
    const own = ['--config', path.join(this.#directory, 'fanfare.toml'), '--data-dir', path.join(this.#directory, 'data')];
    const env = { PATH: process.env.PATH };
    return (await promisify(execFile)(BINARY, [...args, ...own], { cwd: this.#directory, env })).stdout;
  }

  async #clear() {
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** The sum of all samples of a metric whose labels include the given ones. */
  async metric(name, labels = {}) {
    const answer = await fetch(new URL('/metrics', this.adminUrl));
    let sum = 0;
    for (const line of (await answer.text()).split('\n')) {
      const sample = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line);
      if (sample?.[1] !== name) continue;
      const found = Object.fromEntries([...(sample[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1], m[2]]));
      if (Object.entries(labels).every(([label, value]) => found[label] === value)) sum += Number(sample[3]);
    }
    return sum;
  }
}
