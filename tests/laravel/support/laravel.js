// The Laravel application of ../app, as a process: a copy with an `.env` of its own, and ways to send
// requests.
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Running, freePort, run } from './processes.js';

const HERE = fileURLToPath(new URL('..', import.meta.url));

/** Pusher's PHP library: ours, or the folder `src` of the one that Composer installs. */
const LIBRARY = path.resolve(process.env.PUSHER_PHP_LIBRARY ?? path.join(HERE, 'sdk'));

/** The application's users, by name. */
const USERS = { Ann: { id: 1, token: 'token-of-ann' }, Bob: { id: 2, token: 'token-of-bob' } };

export class Laravel {
  #directory;
  #process;

  /**
   * Resolves when the application answers. `env` are the lines of its `.env`; `ini` are settings of PHP;
   * `connections` is PHP that replaces the connections in config/broadcasting.php.
   */
  static async start({ env = {}, ini = {}, port, connections } = {}) {
    const app = new Laravel();
    app.#directory = await mkdtemp(path.join(tmpdir(), 'fanfare-laravel-'));
    app.url = `http://127.0.0.1:${port ?? (await freePort())}`;
    await app.#layOut(connections, { APP_KEY: `base64:${Buffer.alloc(32, 7).toString('base64')}`, APP_URL: app.url, ...env });
    await app.#serve(ini);
    return app;
  }

  async #layOut(connections, env) {
    await cp(path.join(HERE, 'app'), this.#directory, { recursive: true });
    if (connections) {
      const config = `<?php return ['default' => env('BROADCAST_DRIVER'), 'connections' => [${connections}]];\n`;
      await writeFile(path.join(this.#directory, 'config/broadcasting.php'), config);
    }
    for (const folder of ['bootstrap/cache', 'storage/framework/sessions', 'storage/framework/views']) {
      await mkdir(path.join(this.#directory, folder), { recursive: true });
    }
    const lines = Object.entries(env).map(([name, value]) => `${name}="${value}"\n`);
    await writeFile(path.join(this.#directory, '.env'), lines.join(''));
    await writeFile(path.join(this.#directory, 'database/database.sqlite'), '');
    await run('php', ['artisan', 'migrate', '--force'], this.#place);
  }

  async #serve(ini) {
    const settings = Object.entries(ini).flatMap(([name, value]) => ['-d', `${name}=${value}`]);
    const args = [...settings, '-S', new URL(this.url).host, '-t', 'public', 'public/index.php'];
    this.#process = new Running('php', args, this.#place);
    await this.#process.readyWhen(async () => (await fetch(this.url)).status === 404, 'the application');
  }

  /** Of the tests' environment the process gets only the path of programs. */
  get #place() {
    return { cwd: this.#directory, env: { PATH: process.env.PATH, PUSHER_PHP_LIBRARY: LIBRARY } };
  }

  /** The directory of the copy. */
  get directory() {
    return this.#directory;
  }

  get log() {
    return this.#process?.output ?? '';
  }

  async stop() {
    await this.#process?.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Sends a request as `user`, as a page of the application would; `socketId` is the page's connection. */
  async post(path, { user = 'Ann', body = {}, socketId } = {}) {
    const headers = { accept: 'application/json', 'content-type': 'application/json', ...bearer(user) };
    if (socketId) headers['x-socket-id'] = socketId;
    const answer = await fetch(`${this.url}/api${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text.slice(0, 500)}`);
    return JSON.parse(text);
  }

  /** Logs in as a browser does, and gives the cookie that the browser keeps. */
  async login(user) {
    const answer = await fetch(`${this.url}/login/${USERS[user].id}`);
    return answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ');
  }

  /** The answer of /broadcasting/auth to a form, with a cookie or without. */
  async authorize(form, headers = {}) {
    const body = new URLSearchParams(form);
    const answer = await fetch(`${this.url}/broadcasting/auth`, { method: 'POST', headers, body });
    return { status: answer.status, text: await answer.text() };
  }
}

/** The options with which the application itself authorizes Echo as this user. */
export const authorizedAs = (user, app) => ({
  authEndpoint: `${app.url}/api/broadcasting/auth`,
  bearerToken: USERS[user].token,
});

const bearer = (user) => ({ authorization: `Bearer ${USERS[user].token}` });

/**
 * The option with which Echo asks at `url` with a cookie, as a browser does on the page's own host: pusher-js
 * for Node has no cookies.
 */
export const askingWithCookie = (url, cookie) => ({
  channelAuthorization: {
    customHandler: async ({ socketId, channelName }, done) => {
      const body = new URLSearchParams({ socket_id: socketId, channel_name: channelName });
      const answer = await fetch(url, { method: 'POST', headers: { cookie }, body });
      if (answer.ok) done(null, await answer.json());
      else done(new Error(`${answer.status} ${await answer.text()}`), null);
    },
  },
});
