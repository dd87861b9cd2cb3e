// What readers of the console once stumbled over, in Chromium with real clients.
import assert from 'node:assert/strict';

import { APP } from '../e2e/support/fanfare.js';
import { inState, subscribed } from '../e2e/support/waiting.js';
import { button, go, nextPoll, says, test } from './support/console.js';

/** Terminates the user of a list that is on the page. */
async function terminate(page, user) {
  await button(page, `Terminate ${user}`).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Terminate' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}

const rowOf = (page, name) => page.getByRole('row', { name });

test('con_047 users are terminated whatever their ids are, and again when they come back', async (desk) => {
  const ids = ['__proto__', 'constructor', '..', '.'];
  const clients = [];
  for (const id of ids) clients.push(await desk.scene.signedIn({ id }));
  const page = await desk.visit(`/apps/${APP.id}/users`);
  for (const [n, id] of ids.entries()) {
    await terminate(page, id);
    await inState(clients[n], 'disconnected');
  }
  const back = await desk.scene.signedIn({ id: ids[0] });
  await terminate(page, ids[0]);
  await inState(back, 'disconnected');
});

test('con_046 channels called . and .. are shown as others are', async (desk) => {
  const client = await desk.scene.client();
  for (const name of ['.', '..']) {
    await subscribed(client.subscribe(name));
    const page = await desk.visit(`/apps/${APP.id}/channels/${name}`);
    await page.getByRole('heading', { name, exact: true }).waitFor();
    await page.getByRole('link', { name: client.connection.socket_id }).waitFor();
  }
});

test('con_084 a token never expires only where the field of its days is empty', async (desk) => {
  // A token of a link ends with its session, and so would those that it makes.
  const page = await (await desk.reader()).newPage();
  await page.goto(`${desk.url}#/tokens`);
  await page.getByLabel('Token').fill((await desk.token()).token);
  await page.keyboard.press('Enter');
  const days = page.getByLabel('Days until it expires');
  await page.getByLabel('Name').fill('for ninety days');
  for (const typed of ['90 days', '0', '-1', '1e3', 'never']) {
    await days.fill(typed);
    await says(page, 'a whole number of days');
    assert.ok(await button(page, 'Make the token').isDisabled(), typed);
  }
  await days.fill('90');
  await button(page, 'Make the token').click();
  await rowOf(page, /for ninety days/).getByText(/in (89|90) d/).waitFor();
});

test('con_006 a link of fanfare console logs in within a tab that shows the console, and its code is gone', async (desk) => {
  const page = await (await desk.reader()).newPage();
  await page.goto(desk.url);
  await page.getByLabel('Token').waitFor();
  for (const name of ['first', 'second']) {
    await page.goto(await desk.link({ name }));
    await page.locator('.account summary').getByText(name).waitFor();
    assert.ok(!page.url().includes('code'), page.url());
  }
});

test('con_016 what one token saw and sent is not there for the next one in the same tab', async (desk) => {
  const page = await desk.visit(`/apps/${APP.id}/send?channel=private-room&event=paid&data=4111`);
  await button(page, 'Send').click();
  await button(page, 'Again: paid').waitFor();
  const { token } = await desk.token('read', '--app', APP.id);
  const { token: own } = await page.evaluate(async () => (await fetch('/v1/session')).json());
  await desk.server.command('token', 'revoke', String(own));
  await go(page, `/apps/${APP.id}/live`);
  await page.getByRole('dialog').getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.locator('.account summary').getByText('deploy').waitFor();
  await go(page, `/apps/${APP.id}/send`);
  await says(page, 'Nothing yet. This tab lists');
  assert.ok(!JSON.stringify(await page.evaluate(() => ({ ...sessionStorage }))).includes('4111'));
  assert.equal(await page.getByLabel('Data').inputValue(), '');
});

test('con_016 logging out leaves nothing of what was sent in the tab', async (desk) => {
  const page = await desk.visit(`/apps/${APP.id}/send?channel=private-room&event=paid&data=4111`);
  await button(page, 'Send').click();
  await button(page, 'Again: paid').waitFor();
  await page.locator('.account summary').click();
  await button(page, 'Log out').click();
  await page.getByLabel('Token').waitFor();
  assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), {});
});

test('con_007 once the session has ended, nothing is asked until somebody logs in', async (desk) => {
  const page = await desk.visit(`/apps/${APP.id}/overview`, { ownClock: true });
  const { token } = await page.evaluate(async () => (await fetch('/v1/session')).json());
  await desk.server.command('token', 'revoke', String(token));
  await nextPoll(page);
  await page.getByRole('dialog', { name: 'Your session has ended' }).waitFor();
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.clock.fastForward(60_000);
  await page.getByRole('dialog').getByLabel('Token').fill((await desk.token()).token);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.match(asked[0], /\/v1\/session$/);
});

test('con_036 con_038 data that are encrypted, shortened or not shown are not sent again; others go by no address', async (desk) => {
  const page = await desk.visit(`/apps/${APP.id}/live`);
  await says(page, /listening since/);
  const { sdk } = desk.scene;
  await sdk.trigger('private-encrypted-room', 'sealed', { card: '4111' });
  await sdk.trigger('room', 'long', 'x'.repeat(5000));
  await sdk.trigger('room', 'short', '4111');
  const open = (event) => page.locator('ol.live li', { hasText: event }).getByRole('button', { name: 'Open the entry' }).click();
  for (const [event, why] of [['sealed', 'its data is encrypted'], ['long', 'its data is shortened']]) {
    await open(event);
    await says(page, why);
    assert.ok(await button(page, 'Send again').isDisabled());
    assert.ok(await button(page, 'Copy as curl').isDisabled());
  }
  await open('short');
  await button(page, 'Send again').and(page.locator(':enabled')).click();
  await page.getByRole('heading', { name: 'Send an event' }).waitFor();
  assert.equal(await page.getByLabel('Data').inputValue(), '4111');
  assert.ok(!page.url().includes('4111'), page.url());
});

test('con_066 the overview says what is wrong with the app, and what it could not ask', async (desk) => {
  const page = await desk.visit('/new');
  await page.getByLabel('Id').fill('shop');
  await button(page, 'Make the app').click();
  await says(page, 'The app is made');
  await page.route('**/v1/apps/shop/refusals*', (route) => route.fulfill({ status: 403, json: { detail: 'not now', type: 'urn:fanfare:problem:x' } }));
  await go(page, '/apps/shop/settings');
  await button(page, 'Disable shop').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
  await says(page, /its connections are refused/);
  await go(page, '/apps/shop/overview');
  await says(page, /This app is disabled: clients get 4003/);
  await says(page, /refusals not known/);
  assert.equal(await page.getByText('Nothing: no refusal').count(), 0);
  await go(page, '/apps/nowhere/overview');
  await says(page, 'It was deleted, or this token may not see it.');
  assert.equal(await page.getByText('Needs a look').count(), 0);
});

test('con_043 where an app keeps no traces, the search for an event says so', async (desk) => {
  const page = await desk.visit('/new');
  await page.getByLabel('Id').fill('shop');
  await button(page, 'Make the app').click();
  await says(page, 'later only the scope secrets shows');
  await go(page, '/apps/shop/traces?event_id=01KBSX3E6YV2D0B8K9W4R1T7QZ');
  await says(page, 'This app keeps no traces.');
});

test('con_036 an event that nobody got has a mark of its own, and a way to the reason', async (desk) => {
  const page = await desk.visit(`/apps/${APP.id}/live`);
  await says(page, /listening since/);
  await desk.scene.sdk.trigger('room', 'lost', '');
  const entry = page.locator('ol.live li', { hasText: 'lost' });
  await entry.locator('.lamp.warn').waitFor();
  await entry.getByRole('link', { name: 'why?' }).click();
  await page.getByRole('row', { name: /lost/ }).waitFor();
});

test('con_047 in the dialog that closes a connection the focus is on Cancel', async (desk) => {
  const client = await desk.scene.client();
  const page = await desk.visit(`/apps/${APP.id}/connections`);
  await button(page, `Close ${client.connection.socket_id}`).click();
  await page.locator('dialog button:focus', { hasText: 'Cancel' }).waitFor();
});

test('con_044 what was refused of no app stands at the node', async (desk) => {
  const wrong = desk.scene.connecting({ key: 'nobody' });
  await inState(wrong, 'disconnected');
  const page = await desk.visit(`/apps/${APP.id}/refusals`);
  await page.locator('main').getByRole('link', { name: 'the node' }).click();
  await page.getByRole('row', { name: /4001/ }).waitFor();
});

test('con_016 the menu of a token that is bound to apps has no page of the node but its apps', async (desk) => {
  const page = await desk.visit(`/apps/${APP.id}/connect`, { login: { app: APP.id, scope: 'read' } });
  assert.deepEqual(await page.locator('#menu a[href^="#/"]:not([href*="/apps/"])').allTextContents(), ['Apps']);
  await says(page, 'without the secret');
});
