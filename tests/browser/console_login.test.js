// How people get into the console, what a browser keeps of it, and how a session ends, in Chromium.
import assert from 'node:assert/strict';

import { APP } from '../e2e/support/fanfare.js';
import { subscribed } from '../e2e/support/waiting.js';
import { button, go, link, says, settled, test } from './support/console.js';

/** How many wrong tokens an address may show in a minute. */
const MOST_WRONG = 20;

const tokenField = (page) => page.getByLabel('Token');

async function enter(page, token) {
  await tokenField(page).fill(token);
  await button(page, 'Log in').click();
}

/** The login page of a browser in which nobody is logged in. */
async function atTheLogin(desk, options) {
  const page = await (await desk.reader(options)).newPage();
  await page.goto(desk.url);
  await tokenField(page).waitFor();
  return page;
}

/** Whatever a script, a neighbour at the screen or a history could find of the token. */
const kept = (page) =>
  page.evaluate(() => [location.href, document.cookie, document.documentElement.outerHTML, ...[...document.querySelectorAll('input')].map(({ value }) => value),
    ...Object.values(localStorage), ...Object.values(sessionStorage)].join('\n'));

test('con_005 a token logs in once, and is nowhere in the page, its address or its storage afterwards', async (desk) => {
  const { token } = await desk.token();
  const page = await atTheLogin(desk);
  await tokenField(page).fill(token);
  await page.keyboard.press('Enter');
  await link(page, 'Apps').waitFor();
  assert.ok(!(await kept(page)).includes(token));
  await page.reload();
  await settled(page);
  assert.ok(!(await kept(page)).includes(token), 'the cookie is the session');
  await page.locator('.account summary').click();
  await button(page, 'Log out').click();
  await tokenField(page).waitFor();
  assert.deepEqual(await page.context().cookies(), []);
});

test('con_011 con_066 a wrong token is refused in words, and after twenty the form shows the seconds to wait', async (desk) => {
  const page = await atTheLogin(desk);
  await enter(page, `fanfare_${'0'.repeat(64)}`);
  await says(page, /not valid|wrong/i);
  assert.equal(await tokenField(page).getAttribute('aria-invalid'), 'true');
  assert.equal(await tokenField(page).inputValue(), '');
  await enter(page, 'wrong');
  await says(page, /2 wrong tokens from this address; at 20 it waits a minute/);
  for (let n = 2; n < MOST_WRONG; n++) {
    await fetch(new URL('/v1/session', desk.url), { method: 'POST', body: JSON.stringify({ token: 'wrong' }) });
  }
  await enter(page, 'wrong');
  await says(page, /Too many wrong tokens .* waits \d+ s/);
  assert.ok(await button(page, 'Log in').isDisabled());
});

test('con_006 the link of fanfare console logs in once, and its code does not stay in the address', async (desk) => {
  const printed = await desk.link({ scope: 'read', name: 'ann' });
  const page = await (await desk.reader()).newPage();
  await page.goto(printed);
  await settled(page);
  assert.ok(!page.url().includes('code'), page.url());
  await page.locator('.account summary').filter({ hasText: 'ann' }).click();
  await says(page, 'Scopes: read');
  const late = await (await desk.reader()).newPage();
  await late.goto(printed);
  await says(late, /fanfare console/);
  await tokenField(late).waitFor();
});

test('con_007 con_066 a token that is revoked ends the open page, which goes on where it was after the next login', async (desk) => {
  const first = await desk.token();
  const page = await atTheLogin(desk, { ownClock: true });
  await enter(page, first.token);
  await settled(page);
  await go(page, `/apps/${APP.id}/channels?prefix=news`);
  await desk.server.command('token', 'revoke', first.number);
  // The page may have asked already, since the token was revoked, and asks no more then.
  await page.clock.fastForward(5_000);
  const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
  await dialog.waitFor();
  await says(page, 'No channel is like that now.');
  const client = await desk.scene.client();
  await subscribed(client.subscribe('news-1'));
  await dialog.getByLabel('Token').fill((await desk.token()).token);
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  assert.ok(page.url().endsWith(`#/apps/${APP.id}/channels?prefix=news`), page.url());
  await link(page, 'news-1').waitFor();
});

test('con_007 con_066 a session that ends by time asks for the next login over the open page', async (desk) => {
  const { token } = await desk.token();
  const made = await fetch(new URL('/v1/tokens', desk.url), {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body: JSON.stringify({ name: 'short', scopes: ['read'], apps: null, expires_in: 4 }),
  });
  const page = await atTheLogin(desk);
  await enter(page, (await made.json()).token);
  await settled(page);
  await go(page, `/apps/${APP.id}/users?prefix=4`);
  const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
  await dialog.waitFor();
  await says(page, 'No user who is signed in begins with 4.');
  await dialog.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  assert.ok(page.url().endsWith(`#/apps/${APP.id}/users?prefix=4`), page.url());
});

test('con_007 con_066 what was being written is still there after a session has ended and the next of the same token has begun', async (desk) => {
  const { token } = await desk.token();
  const page = await atTheLogin(desk);
  await enter(page, token);
  await settled(page);
  await go(page, `/apps/${APP.id}/send?channel=news`);
  await page.getByLabel('Event', { exact: true }).fill('greeting');
  await page.getByLabel('Data').fill('"kept"');
  // Somebody logs out in another tab.
  await page.evaluate(async () => {
    const { csrf_token: text } = await (await fetch('/v1/session')).json();
    await fetch('/v1/session', { method: 'DELETE', headers: { 'X-CSRF-Token': text } });
  });
  await button(page, 'Send').click();
  const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
  await dialog.getByLabel('Token').fill(token);
  await dialog.getByRole('button', { name: 'Log in' }).click();
  await says(page, /nobody got it on/);
  assert.equal(await page.getByLabel('Data').inputValue(), '"kept"');
});
