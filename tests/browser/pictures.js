// Makes the pictures of docs/console.md: `node pictures.js`, with the built binary, Chromium, and the packages of ../e2e. A
// server of its own has an application with real clients; Chromium logs in by a link of `fanfare console`, and draws the page.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { APP, appWith } from '../e2e/support/fanfare.js';
import { Scene } from '../e2e/support/scene.js';
import { subscribed } from '../e2e/support/waiting.js';

const FOLDER = fileURLToPath(new URL('../../docs/console/', import.meta.url));

/** The application is one of the configuration, and tokens are in a database beside it. */
const CONFIG = `${appWith('trace = true', 'client_events = true')}\n[apps]\ndatabase = "sqlite"\n`;

/** A picture: its name, the address behind #, the window, and Chromium's flags. */
const PICTURES = [
  { name: 'light', at: `/apps/${APP.id}/overview`, size: '1280,860', flags: [] },
  { name: 'dark', at: `/apps/${APP.id}/traces`, size: '1280,860', flags: ['--blink-settings=preferredColorScheme=0'] },
];

/** How long the page works before Chromium draws it, in milliseconds of the page's own time. */
const PATIENCE = 12_000;

const USERS = ['Ada', 'Grace', 'Katherine', 'Radia', 'Barbara'];

/** People in a room, orders that ship, and a back end that forgets a prefix. */
async function busyShop(scene) {
  for (const [n, name] of USERS.entries()) {
    const client = await scene.signedIn({ id: String(n + 40) }, { user: { user_id: String(n + 40), user_info: { name } } });
    await subscribed(client.subscribe('presence-room.1'));
    for (let order = 0; order <= n; order++) await subscribed(client.subscribe(`private-orders.${order}`));
  }
  for (let order = 0; order < USERS.length; order++) await scene.sdk.trigger(`private-orders.${order}`, 'OrderShipped', { id: order });
  await scene.sdk.trigger('orders.2', 'OrderShipped', { id: 2 });
}

async function draw(server, { name, at, size, flags }) {
  const printed = await server.command('console', '--url', server.adminUrl.href);
  const [link] = /http\S+#code=\w+/.exec(printed);
  const profile = await mkdtemp(path.join(tmpdir(), 'fanfare-pictures-'));
  const own = ['--headless=new', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage', '--hide-scrollbars', `--user-data-dir=${profile}`];
  if (process.getuid?.() === 0) own.push('--no-sandbox');
  const file = path.join(FOLDER, `${name}.png`);
  try {
    await promisify(execFile)('chromium', [...own, ...flags, `--window-size=${size}`, `--virtual-time-budget=${PATIENCE}`, `--screenshot=${file}`, `${link}&at=${at}`]);
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
  console.log(file);
}

const ends = [];
try {
  const scene = await Scene.open({ after: (end) => ends.push(end) }, { config: CONFIG });
  await busyShop(scene);
  await mkdir(FOLDER, { recursive: true });
  for (const picture of PICTURES) await draw(scene.server, picture);
} finally {
  for (const end of ends) await end();
}
