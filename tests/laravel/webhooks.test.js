// The receivers of docs/webhooks.md: accept Fanfare's requests, and refuse others.
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { APP, appWith } from '../e2e/support/fanfare.js';
import { Scene } from '../e2e/support/scene.js';
import { subscribed, until } from '../e2e/support/waiting.js';
import { Running, freePort } from './support/processes.js';
import { pusherEnv, startLaravel, test } from './support/scene.js';
import { replaced } from './support/snippet.js';

const PAGE = fileURLToPath(new URL('../../docs/webhooks.md', import.meta.url));
const SDKS = fileURLToPath(new URL('../e2e', import.meta.url));
const ENV = { PATH: process.env.PATH, PUSHER_APP_ID: APP.id, PUSHER_APP_KEY: APP.key, PUSHER_APP_SECRET: APP.secret };

/** The block of the page after a paragraph that begins so. */
async function block(paragraph) {
  const [, behind] = (await readFile(PAGE, 'utf8')).split(`\n${paragraph}`);
  return /^```\w+\n([^]*?)^```$/m.exec(behind)[1];
}

/** Fanfare notifies the receiver of two channels, which it logs; a request with another signature is refused. */
async function takesAndRefuses(t, url, log) {
  const webhook = ['[[apps.list.webhooks]]', `url = "${url}"`, 'events = ["channel_existence"]', 'batch = true'];
  const scene = await Scene.open(t, { config: appWith(...webhook) });
  const client = await scene.client();
  for (const channel of ['news', 'private-orders.1']) await subscribed(client.subscribe(channel));
  for (const channel of ['news', 'private-orders.1']) {
    await until(() => log().includes(`channel_occupied ${channel}`), `${channel} in the log of the receiver`);
  }
  await until(async () => (await scene.server.metric('fanfare_webhook_deliveries_total')) > 0, 'a delivery');
  assert.equal(await scene.server.metric('fanfare_webhook_failures_total'), 0);
  const headers = { 'content-type': 'application/json', 'x-pusher-key': APP.key, 'x-pusher-signature': '0'.repeat(64) };
  const body = '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"forged"}]}';
  assert.equal((await fetch(url, { method: 'POST', headers, body })).status, 401);
  assert.ok(!log().includes('forged'));
}

/** Runs a receiver until the test ends; resolves when it answers. */
async function receiver(t, url, program, args, options) {
  const running = new Running(program, args, options);
  t.after(() => running.stop());
  await running.readyWhen(async () => Boolean(await fetch(url)), 'the receiver');
  return () => running.output;
}

test('webhooks: the receiver in PHP', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-webhooks-'));
  t.after(() => rm(directory, { recursive: true }));
  await writeFile(path.join(directory, 'webhooks.php'), await block('PHP:'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/webhooks.php`;
  const log = await receiver(t, url, 'php', ['-S', `127.0.0.1:${port}`], { cwd: directory, env: ENV });
  await takesAndRefuses(t, url, log);
});

test('webhooks: the route in Laravel', async (t) => {
  const app = await startLaravel(t, { env: pusherEnv({ host: '127.0.0.1', port: 1 }) });
  const route = `use Illuminate\\Support\\Facades\\Route;\n${await block('Laravel, in')}`;
  await appendFile(path.join(app.directory, 'routes/channels.php'), `\n${route}`);
  await takesAndRefuses(t, `${app.url}/webhooks`, () => app.log);
});

test('webhooks: the receiver in Node', async (t) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const code = replaced(await block('Node, with'), [['3000', String(port)]]);
  const log = await receiver(t, url, 'node', ['--input-type=module', '-e', code], { cwd: SDKS, env: ENV });
  await takesAndRefuses(t, url, log);
});
