// Every page of the console in Chromium: in both schemes and on narrow screens, loading, empty, failed and full.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { APP } from '../e2e/support/fanfare.js';
import { allDone, subscribed } from '../e2e/support/waiting.js';
import { NARROW, WIDE, button, fits, go, nextPoll, require, says, settled, test } from './support/console.js';

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const LOOKS = ['light', 'dark'].flatMap((colorScheme) => [WIDE, NARROW].map((viewport) => ({ colorScheme, viewport })));

/** A window of 1,280 pixels of somebody who enlarges pages to 200 % and wants no motion. */
const ENLARGED = { colorScheme: 'light', reducedMotion: 'reduce', viewport: { width: 640, height: 400 } };

/** Pages that no menu has: an address, and what makes a page of it. */
const further = (socket) => [
  ...['traces', 'find?q=pr', 'channels/presence-room', 'channels/private-orders.7', `connections/${socket}`].map((at) => `/apps/${APP.id}/${at}`),
  ...['limits', 'features', 'authorization', 'redis', 'keys'].map((tab) => `/apps/${APP.id}/settings?tab=${tab}`),
  '/new',
  `/find?q=${APP.id}`,
  `/apps/${APP.id}/nowhere`,
];

/** The addresses of the menu's pages. */
const menuOf = (page) => page.locator('#menu a').evaluateAll((links) => links.map(({ hash }) => hash.slice(1)));

async function axeFinds(page, what) {
  const found = await page.evaluate(async () => {
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any.map(({ message }) => message)}`).join('\n  ')}`);
  });
  assert.deepEqual(found, [], what);
}

/** Looks at a page that is open in all schemes and sizes. */
async function lookAt(page, at) {
  for (const look of LOOKS) {
    await page.emulateMedia(look);
    await page.setViewportSize(look.viewport);
    const what = `${at}, ${look.colorScheme}, ${look.viewport.width} px`;
    await fits(page, what);
    await axeFinds(page, what);
    assert.equal(await page.locator('h1').count(), 1, what);
    assert.ok(await page.evaluate(() => document.querySelector('main').innerText.startsWith(document.querySelector('h1').innerText)), `${what}: the heading comes first`);
  }
}

/** Looks at a page as somebody with weak eyes does. */
async function lookAtEnlarged(page, at) {
  await page.emulateMedia(ENLARGED);
  await page.setViewportSize(ENLARGED.viewport);
  await fits(page, `${at}, enlarged`);
  const moving = await page.evaluate(() => {
    const durations = [...document.querySelectorAll('*')].map((element) => getComputedStyle(element));
    return durations.filter(({ transitionDuration, animationName }) => transitionDuration !== '0s' || animationName !== 'none').length;
  });
  assert.equal(moving, 0, `${at}: what moves`);
}

/** Goes through pages, with as many tabs as there are halves. */
async function lookAtAll(pages, addresses) {
  const left = [...addresses];
  await Promise.all(
    pages.map(async (page) => {
      await page.evaluate(AXE);
      for (let at = left.shift(); at !== undefined; at = left.shift()) {
        await go(page, at);
        await lookAt(page, at);
        await lookAtEnlarged(page, at);
      }
    }),
  );
}

/** People in a room, an order, and an event that nobody got. */
async function busy(scene) {
  const ann = await scene.signedIn({ id: '42' }, { user: { user_id: '42', user_info: { name: 'Ann' } } });
  await subscribed(ann.subscribe('presence-room'));
  await subscribed(ann.subscribe('private-orders.7'));
  await scene.sdk.trigger('private-orders.7', 'OrderShipped', { id: 7 });
  await scene.sdk.trigger('orders.7', 'OrderShipped', { id: 7 });
  return ann;
}

test('con_062 con_063 con_065 con_072 axe finds nothing on any page, empty ones, in both schemes, wide, narrow and enlarged', async (desk) => {
  const page = await desk.visit('/apps');
  await lookAtAll([page], [...(await menuOf(page)), `/apps/${APP.id}/channels`]);
});

/** What the pages with something on them are, a test for each part: a slow machine takes long for all. */
const PARTS = {
  'of an app': (menu) => menu.filter((at) => at.startsWith('/apps/')),
  'of the node': (menu) => menu.filter((at) => !at.startsWith('/apps/')),
  'that no menu has': (_, socket) => further(socket),
};

for (const [part, addressesOf] of Object.entries(PARTS)) {
  test(`con_062 con_063 con_065 con_072 axe finds nothing on any page ${part} with something on it`, async (desk) => {
    const ann = await busy(desk.scene);
    const pages = [await desk.visit(`/apps/${APP.id}/send`), await desk.visit(`/apps/${APP.id}/send`)];
    await lookAtAll(pages, addressesOf(await menuOf(pages[0]), ann.connection.socket_id));
  });
}

/** Pages that ask for nothing before somebody does something, and the one whose list is a stream. */
const WITHOUT_A_LIST = ['send', 'live', 'doctor'];

const AWAY = { type: 'urn:fanfare:problem:database-away', title: 'The database is away', detail: 'The database did not answer within 2 s' };

/** Holds back what the page asks for, until `answer` is called: then all of that is refused, or answered by the server. */
async function holdBack(page) {
  const [asked, held] = [/\/v1\/(?!session|openapi)/, []];
  let verdict;
  const give = (route) => (verdict === 'refuse' ? route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(AWAY) }) : route.continue());
  await page.route(asked, (route) => (verdict ? give(route) : held.push(route)));
  return async (how) => {
    verdict = how;
    await Promise.all(held.splice(0).map(give));
    if (how !== 'refuse') await page.unroute(asked);
  };
}

test('con_066 con_070 every page says that it loads, then why it failed, and goes on at Try again', async (desk) => {
  const page = await desk.visit('/apps');
  const main = page.locator('main');
  const addresses = (await menuOf(page)).concat((await menuOf(await desk.visit(`/apps/${APP.id}/send`))).slice(0, -4));
  for (const at of addresses.filter((at) => !WITHOUT_A_LIST.includes(at.split('/').at(-1)))) {
    await go(page, `/apps/${APP.id}/nowhere`);
    const answer = await holdBack(page);
    await page.evaluate((hash) => {
      location.hash = hash;
    }, at);
    await main.getByText('Loading…').first().waitFor();
    await answer('refuse');
    await main.getByText(AWAY.detail).first().waitFor();
    await main.getByText('Look at the database').first().waitFor();
    await answer('continue');
    for (const again of (await main.getByRole('button', { name: 'Try again' }).all()).reverse()) await again.click();
    await main.getByText(AWAY.detail).first().waitFor({ state: 'detached' });
    await settled(page);
  }
});

test('con_048 con_066 a list says what an empty one means, fills, and stays still while it is read', async (desk) => {
  const page = await desk.visit(`/apps/${APP.id}/channels`, { ownClock: true });
  await says(page, 'No channel has a subscriber now.');
  const first = await desk.scene.client();
  await subscribed(first.subscribe('news-1'));
  await nextPoll(page);
  await page.getByRole('row', { name: /news-1/ }).waitFor();
  await subscribed(first.subscribe('news-2'));
  await nextPoll(page);
  await button(page, '1 new, show').waitFor();
  assert.equal(await page.getByRole('row', { name: /news-2/ }).count(), 0);
  await button(page, '1 new, show').click();
  await page.getByRole('row', { name: /news-2/ }).waitFor();
  first.unsubscribe('news-1');
  await allDone(first);
  await nextPoll(page);
  await page.locator('tr.gone', { hasText: 'news-1' }).waitFor();
});

test('con_066 a server that is gone shows a bar with the seconds, what is there stays, and all goes on when it is back', async (desk) => {
  const client = await desk.scene.client();
  await subscribed(client.subscribe('news-1'));
  const page = await desk.visit(`/apps/${APP.id}/channels`, { ownClock: true });
  await page.context().setOffline(true);
  await nextPoll(page);
  await says(page, 'The server does not answer. What you see may be old.');
  await says(page, /Next attempt in \d+ s/);
  await page.getByRole('row', { name: /news-1/ }).waitFor();
  const tried = page.waitForRequest(/\/up$/);
  await button(page, 'Try now').click();
  await tried;
  // The page tries by itself as well, so the button may be gone as soon as the server is back.
  await page.context().setOffline(false);
  await nextPoll(page);
  await page.locator('.bar').waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /news-1/ }).waitFor();
});
