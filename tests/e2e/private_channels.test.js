// A back end that signs: the programs of docs/private-channels.md, unchanged.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import Pusher from 'pusher-js';

import { blocksIn } from './support/docs.js';
import { APP } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { inboxOf, signedIn, subscribed, until } from './support/waiting.js';

const PAGE = 'private-channels.md';
const MODULES = fileURLToPath(new URL('./node_modules', import.meta.url));

/** The text with every `from` replaced; each must occur, so that page and test stay in step. */
function replaced(text, pairs) {
  for (const [from, to] of pairs) {
    assert.ok(text.includes(from), `the page has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

const answers = (port) => fetch(`http://127.0.0.1:${port}/`).then(() => true, () => false);

/** The page's back end in Node, for this server; gives its port. */
async function backEnd(t, server) {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-e2e-private-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await symlink(MODULES, path.join(directory, 'node_modules'));
  const port = await freePort();
  const [code] = await blocksIn(PAGE, 'In the back end', 'js');
  const ours = [["'1001'", `'${APP.id}'`], ["'my-key'", `'${APP.key}'`], ["'my-secret'", `'${APP.secret}'`]];
  await writeFile(path.join(directory, 'auth.mjs'), replaced(code, [...ours, ["'6001'", `'${server.port}'`], ['8000', port]]));
  const child = spawn(process.execPath, ['auth.mjs'], { cwd: directory, stdio: 'inherit' });
  t.after(() => child.kill());
  await until(() => answers(port), 'the back end');
  return port;
}

test('the page and the back end of the documentation join private and presence channels and sign in', async (t) => {
  const scene = await Scene.open(t);
  const port = await backEnd(t, scene.server);
  const [code] = await blocksIn(PAGE, 'In the page', 'js');
  const here = replaced(code, [["'my-key'", `'${APP.key}'`], ['6001', String(scene.server.port)], ["'/pusher/", `'http://127.0.0.1:${port}/pusher/`]]);
  const said = [];
  const page = new Function('Pusher', 'console', `${here}; return { pusher, orders, room };`);
  const { pusher, orders, room } = page(Pusher, { log: (...words) => said.push(words) });
  scene.adopt(pusher);
  await subscribed(orders);
  await subscribed(room);
  await signedIn(pusher);
  assert.deepEqual(said, [[1, 'Ann']]);

  const shipped = inboxOf(orders, 'shipped');
  await scene.sdk.trigger('private-orders-7', 'shipped', { number: 12 });
  assert.deepEqual(await shipped.next(), { number: 12 });
  const errors = inboxOf(pusher.subscribe('private-orders-8'), 'pusher:subscription_error');
  assert.equal((await errors.next()).status, 403);
});
