// Makes the pictures of docs/console.md: `node pictures.js`, with the built binary, Chromium, and the packages of ../e2e. A
// server of its own has an application with real clients; a reader logs in by a link of `fanfare console`.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { APP } from '../e2e/support/fanfare.js';
import { subscribed, until } from '../e2e/support/waiting.js';
import { Desk, endBrowser, says, settled } from './support/console.js';

const FOLDER = fileURLToPath(new URL('../../docs/console/', import.meta.url));

/** A picture: its name, which is the scheme, the address behind #, and words that are there when the page is whole. */
const PICTURES = [
  { name: 'light', at: `/apps/${APP.id}/overview`, words: 'Busiest channels' },
  { name: 'dark', at: `/apps/${APP.id}/traces`, words: 'the names differ by their prefix' },
];

const USERS = ['Ada', 'Grace', 'Katherine', 'Radia', 'Barbara'];

/** How many points the curves have, one each ten seconds. */
const POINTS = 4;

/** People in a room, and orders that they wait for. */
async function comeIn(scene, [n, name]) {
  const client = await scene.signedIn({ id: String(n + 40) }, { user: { user_id: String(n + 40), user_info: { name } } });
  await subscribed(client.subscribe('presence-room.1'));
  for (let order = 0; order <= n; order++) await subscribed(client.subscribe(`private-orders.${order}`));
}

/** Orders that ship, and a back end that forgets a prefix. */
async function ship(scene, most) {
  for (let order = 0; order < most; order++) await scene.sdk.trigger(`private-orders.${order}`, 'OrderShipped', { id: order });
  await scene.sdk.trigger('orders.2', 'OrderShipped', { id: 2 });
}

async function busyShop({ scene, server }) {
  const { token } = await server.command('token', 'create', '--name', 'pictures', '--scope', 'read', '--json').then(JSON.parse);
  const points = async () => {
    const answer = await fetch(new URL(`/v1/apps/${APP.id}/stats`, server.adminUrl), { headers: { Authorization: `Bearer ${token}` } });
    return (await answer.json()).history.length;
  };
  for (const [n, name] of USERS.entries()) {
    await comeIn(scene, [n, name]);
    await ship(scene, n + 1);
    const before = await points();
    if (n < POINTS) await until(async () => (await points()) > before, 'the next point of the curves', 30_000);
  }
}

async function draw(desk, { name, at, words }) {
  const page = await desk.visit(at, { colorScheme: name, viewport: { width: 1280, height: 800 } });
  await says(page, words);
  await settled(page);
  const file = path.join(FOLDER, `${name}.png`);
  await page.screenshot({ path: file });
  console.log(file);
}

const ends = [];
try {
  const desk = await Desk.open({ after: (end) => ends.push(end) });
  await busyShop(desk);
  await mkdir(FOLDER, { recursive: true });
  for (const picture of PICTURES) await draw(desk, picture);
  await desk.judge();
} finally {
  for (const end of ends.reverse()) await end();
  await endBrowser();
}
