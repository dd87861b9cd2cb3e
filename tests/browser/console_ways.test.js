// How one finds the way in the console, and how values are shown, in Chromium.
import assert from 'node:assert/strict';

import { APP } from '../e2e/support/fanfare.js';
import { allDone, subscribed } from '../e2e/support/waiting.js';
import { button, go, link, says, settled, test } from './support/console.js';

async function find(page, what) {
  const field = page.getByRole('searchbox', { name: /^Find/ });
  await field.fill(what);
  await field.press('Enter');
  await page.waitForFunction((q) => new URLSearchParams(location.hash.split('?')[1]).get('q') === q, what);
  await settled(page);
}

test('con_046 the search finds channels, users and apps by the beginning of a name, and connections by their socket', async (desk) => {
  const ann = await desk.scene.signedIn({ id: 'ann-42' });
  await subscribed(ann.subscribe('private-orders.7'));
  await desk.server.command('app', 'create', '--id', '1001', '--name', 'shop');
  const page = await desk.visit(`/apps/${APP.id}/channels`);
  for (const [typed, found, section] of [
    ['private-or', 'private-orders.7', 'Channels'],
    ['ann', 'ann-42', 'Users'],
    ['SHO', 'shop (1001)', 'Apps'],
    ['1001', 'shop (1001)', 'Apps'],
    [ann.connection.socket_id, ann.connection.socket_id, 'Connections'],
  ]) {
    await find(page, typed);
    await page.getByRole('heading', { name: section, exact: true }).waitFor();
    await link(page, found).waitFor();
  }
  await find(page, 'nobody');
  await says(page, 'Nothing here is called');
  await link(page, 'Users').click();
  await page.getByRole('row', { name: /ann-42/ }).waitFor();
});

test('con_069 a tab that no page has, whatever it is called, is the first one', async (desk) => {
  const page = await desk.visit(`/apps/${APP.id}/settings?tab=constructor`);
  await page.getByRole('link', { name: 'General' }).and(page.locator('[aria-current=page]')).waitFor();
  await go(page, `/apps/${APP.id}/connect?tab=__proto__`);
  await page.getByLabel('Lines for .env').waitFor();
  await go(page, `/apps/${APP.id}/usage?hours=constructor`);
  await page.getByRole('link', { name: '24 h' }).and(page.locator('[aria-current=page]')).waitFor();
});

test('con_016 a session that is bound to one app begins at its overview, and makes no app', async (desk) => {
  const page = await (await desk.reader()).newPage();
  await page.goto(await desk.link({ app: APP.id, scope: 'read,write' }));
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await link(page, 'Apps').click();
  await page.getByRole('row', { name: new RegExp(APP.id) }).waitFor();
  assert.equal(await button(page, 'New app').count(), 0);
});

test('con_046 the server looks for apps by the beginning of id or name; a new one stands in the chooser at once', async (desk) => {
  const page = await desk.visit('/new');
  await page.getByLabel('Name').fill('Shop of Ann');
  await page.getByLabel('Id').fill('1001');
  await button(page, 'Make the app').click();
  await says(page, 'The app is made');
  await page.getByLabel('App', { exact: true }).locator('option', { hasText: 'Shop of Ann (1001)' }).waitFor({ state: 'attached' });
  await go(page, '/apps?q=shop');
  await link(page, 'Shop of Ann').waitFor();
  assert.equal(await link(page, APP.id).count(), 0);
  await go(page, '/apps?q=ann');
  await says(page, 'No app begins so.');
});

test('con_062 the scheme is chosen by the button, and remembered', async (desk) => {
  const page = await desk.visit('/apps', { colorScheme: 'light' });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole('button', { name: /^Theme: system/ }).click();
  await page.getByRole('button', { name: /^Theme: light/ }).click();
  await page.getByRole('button', { name: /^Theme: dark/ }).waitFor();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await settled(page);
  assert.equal(await ground(), dark);
});

test('con_067 without JavaScript the page says so, and names the command and the API', async (desk) => {
  const page = await (await desk.reader({ javaScriptEnabled: false })).newPage();
  await page.goto(desk.url);
  const words = await page.locator('main').innerText();
  for (const part of ['needs JavaScript', 'fanfare', '/v1']) assert.ok(words.includes(part), words);
});

test('con_068 numbers have thin spaces, sizes binary units, ages words with the exact time behind them', async (desk) => {
  await desk.scene.client();
  const page = await desk.visit(`/apps/${APP.id}/connections`);
  const shown = await page.evaluate(async () => {
    const { number, size } = await import('/console/shown.js');
    return [number(1_234_567), number(null), size(0), size(1536), size(5 * 2 ** 20)];
  });
  assert.deepEqual(shown, ['1\u202f234\u202f567', '–', '0\u202fB', '1.5\u202fKiB', '5\u202fMiB']);
  const age = page.locator('td time').first();
  assert.match(await age.innerText(), /^(now|\d+ s ago)$/);
  assert.match(await age.getAttribute('title'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? UTC$/);
});

test('con_069 the title names page and app, every page and filter has an address, and Back works', async (desk) => {
  const client = await desk.scene.client();
  await subscribed(client.subscribe('news-1'));
  await subscribed(client.subscribe('private-a'));
  const page = await desk.visit(`/apps/${APP.id}/channels`);
  assert.equal(await page.title(), `Channels · ${APP.id} · Fanfare`);
  await page.getByLabel('Prefix').fill('news');
  await page.waitForFunction(() => location.hash.includes('prefix=news'));
  await link(page, 'news-1').click();
  await page.getByRole('heading', { name: 'news-1' }).waitFor();
  await page.goBack();
  await settled(page);
  assert.equal(await page.getByLabel('Prefix').inputValue(), 'news');
  await link(page, 'private-a').waitFor({ state: 'detached' });
  const other = await page.context().newPage();
  await other.goto(page.url());
  await link(other, 'news-1').waitFor();
  await go(page, '/audit');
  assert.equal(await page.title(), 'Audit · Fanfare');
  await button(page, 'Keys').waitFor();
});

test('con_044 con_056 what was refused is listed with what to do, and the doctor tries each hop from the page', async (desk) => {
  const client = await desk.scene.client();
  client.send_event('pusher:subscribe', { channel: 'private-closed', auth: `${APP.key}:0` });
  await allDone(client);
  const page = await desk.visit(`/apps/${APP.id}/refusals`);
  await page.getByRole('row', { name: /private-closed/ }).waitFor();
  await link(page, 'Doctor').click();
  await button(page, 'Run').click();
  await page.getByText(/^Nothing failed|hops? failed/).waitFor();
  assert.ok((await page.locator('.rows > li').count()) > 3);
});
