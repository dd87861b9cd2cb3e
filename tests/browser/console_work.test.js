// What people do in the console, in Chromium with real clients: by the keyboard alone, and with keys and connections.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { APP, appWith } from '../e2e/support/fanfare.js';
import { test as sceneTest } from '../e2e/support/scene.js';
import { Inbox, inState, inboxOf, subscribed, until, withDeadline } from '../e2e/support/waiting.js';
import { Desk, NARROW, WIDE, button, fits, go, link, says, settled, test } from './support/console.js';

/** How many times Tab is pressed before somebody would give up. */
const MOST_TABS = 80;

/** What has the focus: its role in words, and its name. */
const focused = (page) =>
  page.evaluate(() => {
    const { activeElement: element } = document;
    const [label] = element.labels ?? [];
    return element.getAttribute('aria-label') ?? label?.textContent.trim() ?? element.textContent.trim();
  });

/** Presses Tab until what has this name has the focus, and is seen to have it. */
async function tabTo(page, name) {
  for (let n = 0; n < MOST_TABS; n++) {
    await page.keyboard.press('Tab');
    if ((await focused(page)) !== name) continue;
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, 'none', `the focus on ${name} is visible`);
    return;
  }
  throw new Error(`${name} is not reached by Tab`);
}

const isAt = (page, at) => page.waitForFunction((hash) => location.hash === hash, `#${at}`);

test('con_063 con_064 con_072 by the keyboard alone: log in, find a channel, send an event, read its trace, close a connection', async (desk) => {
  const client = await desk.scene.client();
  const channel = client.subscribe('private-orders.7');
  await subscribed(channel);
  const got = inboxOf(channel, 'OrderShipped');
  const before = client.connection.socket_id;
  const { token } = await desk.token();
  const page = await (await desk.reader()).newPage();
  const { keyboard } = page;
  await page.goto(desk.url);
  await page.getByLabel('Token').waitFor();
  await keyboard.type(token);
  await keyboard.press('Enter');
  await settled(page);

  await tabTo(page, APP.id);
  await keyboard.press('Enter');
  await page.waitForFunction((start) => location.hash.startsWith(start), `#/apps/${APP.id}`);
  await settled(page);
  await keyboard.press('/');
  await keyboard.type('private-ord');
  await keyboard.press('Enter');
  await says(page, 'Channels');
  await settled(page);
  await keyboard.press('j');
  assert.equal(await focused(page), 'private-orders.7');
  await keyboard.press('Enter');
  await isAt(page, `/apps/${APP.id}/channels/private-orders.7`);
  await settled(page);

  await tabTo(page, 'Send to it');
  await keyboard.press('Enter');
  await settled(page);
  await tabTo(page, 'Event');
  await keyboard.type('OrderShipped');
  await tabTo(page, 'Data');
  await keyboard.type('{"id": 7}');
  await keyboard.press('Control+Enter');
  assert.deepEqual(await got.next(), { id: 7 });
  await says(page, /1 subscriber, 1 took it/);

  const id = await page.locator('.trace a[href*=event_id]').textContent();
  await tabTo(page, id);
  await keyboard.press('Enter');
  await settled(page);
  await page.getByRole('row', { name: /OrderShipped/ }).waitFor();

  await page.locator('main').focus();
  await keyboard.press('g');
  await keyboard.press('i');
  await isAt(page, `/apps/${APP.id}/connections`);
  await settled(page);
  await tabTo(page, `Close ${before}`);
  await keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await tabTo(page, '4200');
  await keyboard.press('Enter');
  await says(page, 'closed, 4200');
  await until(() => client.connection.state === 'connected' && client.connection.socket_id !== before, 'the client is back');
});

test('con_064 the keys are listed, can be switched off, and do nothing while a text is typed', async (desk) => {
  const page = await desk.visit(`/apps/${APP.id}/channels`);
  await page.keyboard.press('?');
  const dialog = page.getByRole('dialog', { name: 'Keys' });
  await dialog.getByLabel(/to that page/).uncheck();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await page.keyboard.press('g');
  await page.keyboard.press('s');
  await page.keyboard.press('/');
  await page.keyboard.type('gs?');
  assert.equal(await page.getByRole('searchbox', { name: /Find/ }).inputValue(), 'gs?');
  assert.ok(page.url().endsWith('/channels'), page.url());
  assert.equal(await page.getByRole('dialog').count(), 0);
});

test('con_047 closing with 4200 brings a stock client back, with 4009 it stays away; the row says so', async (desk) => {
  const [back, away] = [await desk.scene.client(), await desk.scene.client()];
  const ids = [back, away].map(({ connection }) => connection.socket_id);
  const page = await desk.visit(`/apps/${APP.id}/connections`);
  for (const [n, code, sentence] of [[0, '4200', 'comes back at once'], [1, '4009', 'stock clients stay away until the page is loaded anew']]) {
    await button(page, `Close ${ids[n]}`).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(sentence).waitFor();
    await dialog.getByRole('button', { name: code, exact: true }).click();
    await page.getByRole('row', { name: ids[n] }).getByText(`closed, ${code}`).waitFor();
  }
  await until(() => back.connection.state === 'connected' && back.connection.socket_id !== ids[0], 'the first is back');
  await inState(away, 'disconnected');
  assert.equal(away.connection.state, 'disconnected');
});

test('con_017 con_065 what a session has no scope for is disabled and says which, and the server refuses as well', async (desk) => {
  const client = await desk.scene.client();
  const page = await desk.visit(`/apps/${APP.id}/connections`, { login: { scope: 'read' } });
  assert.ok(await button(page, `Close ${client.connection.socket_id}`).isDisabled());
  await says(page, 'needs the scope operate');
  for (const viewport of [WIDE, NARROW]) {
    await page.setViewportSize(viewport);
    await fits(page, 'the list with the names of scopes');
  }
  await go(page, `/apps/${APP.id}/send?channel=news&event=e`);
  assert.ok(await button(page, 'Send').isDisabled());
  await says(page, 'needs the scope publish');
  await go(page, '/apps');
  assert.ok(await button(page, 'New app').isDisabled());
  await go(page, `/apps/${APP.id}/settings?tab=keys`);
  await says(page, 'needs the scope secrets');
  const answered = await page.evaluate(async (path) => {
    const { csrf_token: text } = await (await fetch('/v1/session')).json();
    return (await fetch(path, { method: 'DELETE', headers: { 'X-CSRF-Token': text } })).json();
  }, `/v1/apps/${APP.id}/connections/${client.connection.socket_id}`);
  assert.equal(answered.type, 'urn:fanfare:problem:scope-missing');
  assert.equal(client.connection.state, 'connected');
});

/** `connected`, or the code with which a client is refused. */
const outcomeOf = ({ connection }) =>
  withDeadline(
    new Promise((resolve) => {
      connection.bind('connected', () => resolve('connected'));
      connection.bind('error', ({ error }) => resolve(error?.data?.code));
    }),
    'the outcome of connecting',
  );

/** The values of `.env` lines. */
const valuesOf = (lines) => Object.fromEntries([...lines.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));

test('con_018 con_049 con_052 an app is made, its key replaced in three steps, and stock pusher-js uses each', async (desk) => {
  const page = await desk.visit('/apps');
  await button(page, 'New app').click();
  await page.getByLabel('Name').fill('shop');
  await page.getByLabel('Id').fill('1001');
  await button(page, 'Make the app').click();
  const pasted = page.getByLabel('Lines to copy');
  const first = valuesOf(await pasted.textContent());
  desk.secrets.push(first.PUSHER_APP_SECRET);
  const old = await desk.scene.client({ key: first.PUSHER_APP_KEY });

  await go(page, '/apps/1001/settings?tab=keys');
  await button(page, 'New key').click();
  const second = valuesOf(await pasted.textContent());
  desk.secrets.push(second.PUSHER_APP_SECRET);
  assert.notEqual(second.PUSHER_APP_KEY, first.PUSHER_APP_KEY);
  await desk.scene.client({ key: second.PUSHER_APP_KEY });

  await button(page, `Show the secret of ${first.PUSHER_APP_KEY}`).click();
  await says(page, first.PUSHER_APP_SECRET);
  await button(page, `Revoke ${first.PUSHER_APP_KEY}`).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.getByRole('row', { name: first.PUSHER_APP_KEY }).getByText('revoked').waitFor();
  assert.equal(old.connection.state, 'connected', 'open connections stay');
  // A change is known everywhere within a second.
  await until(async () => (await outcomeOf(desk.scene.connecting({ key: first.PUSHER_APP_KEY }))) === 4001, 'the refusal of the old key');

  await go(page, '/apps');
  await page.getByRole('row', { name: /shop/ }).waitFor();
});

test('con_049 con_050 only what was changed is sent; what others changed meanwhile is asked about', async (desk) => {
  await desk.server.command('app', 'create', '--id', '1001', '--name', 'shop');
  const page = await desk.visit('/apps/1001/settings?tab=limits');
  const field = page.getByLabel('max_connections', { exact: true });
  const changed = page.waitForRequest((request) => request.method() === 'PATCH');
  await field.fill('500');
  await button(page, 'Save 1 change').click();
  assert.deepEqual((await changed).postDataJSON(), { settings: { max_connections: 500 } });
  await says(page, 'Saved: max_connections.');
  await field.fill('600');
  await desk.server.command('app', 'update', '1001', '--set', 'max_connections=450');
  await button(page, 'Save 1 change').click();
  const dialog = page.getByRole('dialog', { name: /Somebody else/ });
  await dialog.getByText(/was 500, is now 450, you want 600/).waitFor();
  await dialog.getByRole('button', { name: 'Take theirs' }).click();
  await until(async () => (await field.inputValue()) === '450', 'what others have set');
});

test('con_051 an app is deleted only by who types its id; an app of the configuration is not editable', async (desk) => {
  await desk.server.command('app', 'create', '--id', '1001', '--name', 'shop');
  const page = await desk.visit('/apps/1001/settings');
  await page.getByRole('button', { name: 'Delete shop' }).click();
  const dialog = page.getByRole('dialog');
  const sure = dialog.getByRole('button', { name: 'Delete', exact: true });
  assert.ok(await sure.isDisabled());
  await dialog.getByLabel('Type 1001 to delete it').fill('1001');
  await sure.click();
  await isAt(page, '/apps');
  await settled(page);
  await link(page, APP.id).waitFor();
  assert.equal(await link(page, 'shop').count(), 0);
  await go(page, `/apps/${APP.id}/settings`);
  await says(page, /This app stands in the configuration \(.*fanfare\.toml:\d+\)/);
  assert.ok(await page.getByLabel('name', { exact: true }).isDisabled());
  await go(page, `/apps/${APP.id}/settings?tab=features`);
  assert.ok(await page.getByLabel('trace', { exact: true }).isChecked(), 'what the configuration says');
});

test('con_054 con_070 a webhook is added and tested from the page, and its delivery is listed', async (desk, t) => {
  await desk.server.command('app', 'create', '--id', '1001', '--name', 'shop');
  const got = new Inbox('a request of the webhook');
  const receiver = createServer(async (asked, answer) => {
    got.put({ headers: asked.headers, body: JSON.parse(Buffer.concat(await asked.toArray())) });
    answer.end('thanks');
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.after(() => receiver.close());
  const url = `http://127.0.0.1:${receiver.address().port}/hooks`;
  const page = await desk.visit('/apps/1001/webhooks');
  await says(page, 'This app has no webhook.');
  await button(page, 'Add a webhook').click();
  await page.getByLabel('URL').fill(url);
  await button(page, 'Save').click();
  // The node that sends has the new setting within a second.
  await says(page, 'nothing sent yet');
  await page.getByRole('region', { name: `Webhook ${url}` }).getByRole('button', { name: 'Test', exact: true }).click();
  await says(page, /answered 200 in/);
  const { headers, body } = await got.next();
  assert.deepEqual([body.events[0].name, body.events[0].channel], ['channel_occupied', 'fanfare-test']);
  await page.getByText('What was sent, to check the signature against').click();
  await page.getByLabel('The request of the test').getByText(headers['x-pusher-signature']).waitFor();
  await page.getByText('Last 1 delivery').click();
  await page.getByRole('row', { name: /a test/ }).waitFor();
  // The table stays still under the pointer.
  await page.getByRole('region', { name: `Webhook ${url}` }).getByRole('button', { name: 'Test', exact: true }).click();
  await button(page, '1 new, show').waitFor();
  assert.equal(await page.getByRole('row', { name: /a test/ }).count(), 1);
  await button(page, '1 new, show').click();
  await page.getByRole('row', { name: /a test/ }).nth(1).waitFor();
  await button(page, 'Remove this webhook').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await says(page, 'This app has no webhook.');
});

/** A receiver of webhooks that refuses all; gives its port. */
async function refusing(t) {
  const receiver = createServer((_, answer) => {
    answer.statusCode = 500;
    answer.end();
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.after(() => {
    receiver.closeAllConnections();
    receiver.close();
  });
  return receiver.address().port;
}

for (const [when, times, shown] of [
  ['was given up', 'retry = 60000\ngive_up = 10000', 1],
  ['is tried again', 'retry = 60000', 0],
]) {
  sceneTest(`con_054 a delivery that ${when} is sent again from the page ${shown ? 'after a warning' : 'by nobody'}`, async (t) => {
    const hook = `{ url = "http://127.0.0.1:${await refusing(t)}/hooks", events = ["channel_existence"] }`;
    const desk = await Desk.open(t, { config: `${appWith(`webhooks = [${hook}]`)}\n[apps]\ndatabase = "sqlite"\n[webhooks]\n${times}\n` });
    const page = await desk.visit(`/apps/${APP.id}/webhooks`);
    await says(page, /This app stands in the configuration \(.*fanfare\.toml:\d+\)/);
    const client = await desk.scene.client();
    await subscribed(client.subscribe('news'));
    await page.getByText('Last 1 delivery').click();
    await page.getByRole('row', { name: /channel_occupied/ }).waitFor();
    assert.equal(await button(page, 'Send the same request again').count(), shown);
    if (shown) {
      await button(page, 'Send the same request again').click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('The receiver has answered 500').waitFor();
      await dialog.getByRole('button', { name: 'Send it again' }).click();
      await page.getByRole('row', { name: /channel_occupied/ }).getByText('1 earlier attempt').waitFor();
      assert.equal(await page.getByRole('row', { name: /channel_occupied/ }).count(), 1);
    }
    await desk.judge();
  });
}

sceneTest('con_054 the attempts of a request are one row: the last, with the earlier ones folded in it', async (t) => {
  const statuses = [500, 503];
  const receiver = createServer((_, answer) => {
    answer.statusCode = statuses.shift() ?? 200;
    answer.end();
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.after(() => receiver.close());
  const hook = `{ url = "http://127.0.0.1:${receiver.address().port}/hooks", events = ["channel_existence"] }`;
  const desk = await Desk.open(t, { config: `${appWith(`webhooks = [${hook}]`)}\n[apps]\ndatabase = "sqlite"\n[webhooks]\nretry = 50\n` });
  const client = await desk.scene.client();
  await subscribed(client.subscribe('news'));
  const page = await desk.visit(`/apps/${APP.id}/webhooks`);
  await page.getByText('Last 1 delivery').click();
  const row = page.getByRole('row', { name: /channel_occupied/ });
  await row.getByText('attempt 3').waitFor();
  await row.getByText('● 200').waitFor();
  assert.equal(await row.count(), 1);
  const first = row.getByText(/attempt 1: .*500/);
  assert.ok(!(await first.isVisible()), 'folded');
  await row.getByText('2 earlier attempts').click();
  await first.waitFor();
  await row.getByText(/attempt 2: .*503/).waitFor();
  await desk.judge();
});

test('con_054 a webhook is made durable on the page, and nothing else of it is changed', async (desk) => {
  const hook = { url: 'http://127.0.0.1:9/hooks', events: ['presence', 'users'], batch: true, channel_prefixes: ['presence-'] };
  await desk.server.command('app', 'create', '--id', '1001', '--set', `webhooks=${JSON.stringify([hook])}`);
  const page = await desk.visit('/apps/1001/webhooks');
  await button(page, 'Edit').click();
  const durable = page.getByRole('dialog').getByLabel(/kept in the database, and tried again, also after a restart/);
  assert.ok(!(await durable.isChecked()));
  await durable.check();
  const changed = page.waitForRequest((request) => request.method() === 'PATCH');
  await button(page, 'Save').click();
  assert.deepEqual((await changed).postDataJSON().settings.webhooks, [{ ...hook, durable: true }]);
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await button(page, 'Edit').click();
  assert.ok(await durable.isChecked());
});

test('con_053 con_018 the lines to connect are there with the secret masked, and with it on demand alone', async (desk) => {
  const page = await desk.visit(`/apps/${APP.id}/connect?host=ws.example.com&port=443&tls=true`);
  const lines = page.getByLabel('Lines for .env');
  await lines.getByText(`PUSHER_APP_KEY=${APP.key}`).waitFor();
  await lines.getByText('PUSHER_HOST=ws.example.com').waitFor();
  assert.ok(!(await lines.innerText()).includes(APP.secret));
  await button(page, 'Show the secret').click();
  await lines.getByText(`PUSHER_APP_SECRET=${APP.secret}`).waitFor();
  await link(page, '.env for reverb').click();
  const ofReverb = page.getByLabel('Lines for .env for reverb');
  await ofReverb.getByText(`REVERB_APP_SECRET=${APP.secret}`).waitFor();
  await ofReverb.getByText('REVERB_HOST=ws.example.com').waitFor();
  await button(page, 'Mask the secret').click();
  await ofReverb.getByText('REVERB_APP_SECRET=(hidden)').waitFor();
  assert.equal(await page.getByLabel('Key', { exact: true }).count(), 0, 'there is one key');
});

test('con_053 the lines are for the key that is chosen where an app has several, and for the place that is typed', async (desk) => {
  const made = JSON.parse(await desk.server.command('app', 'create', '--id', '1001', '--json'));
  const page = await desk.visit('/apps/1001/settings?tab=keys');
  await button(page, 'New key').click();
  const { PUSHER_APP_KEY: key, PUSHER_APP_SECRET: secret } = valuesOf(await page.getByLabel('Lines to copy').textContent());
  desk.secrets.push(made.keys[0].secret, secret);
  await go(page, '/apps/1001/connect');
  const lines = page.getByLabel('Lines for .env', { exact: true });
  await lines.getByText(`PUSHER_APP_KEY=${made.keys[0].key}`).waitFor();
  await page.getByLabel('Key', { exact: true }).selectOption(key);
  await lines.getByText(`PUSHER_APP_KEY=${key}`).waitFor();
  assert.ok(page.url().includes(`key=${key}`), 'the choice has an address');
  await page.setViewportSize(NARROW);
  await fits(page, 'the page with a choice of keys');
  const { port } = desk.server.url;
  await lines.getByText(`PUSHER_PORT=${port}`).waitFor();
  await page.getByLabel('Host').fill('live.test');
  await lines.getByText('PUSHER_HOST=live.test').waitFor();
  await page.getByLabel('TLS').check();
  await lines.getByText('PUSHER_PORT=443').waitFor();
  assert.ok(await page.getByLabel('TLS').isChecked());
  const { token } = await desk.token();
  const revoked = await fetch(new URL(`/v1/apps/1001/keys/${key}`, desk.url), { method: 'DELETE', headers: { Authorization: `Bearer ${token}` } });
  assert.equal(revoked.status, 204);
  await go(page, `/apps/1001/connect?key=${key}`);
  await says(page, `app 1001 has no valid key ${key}`);
});

test('con_015 con_070 a token is made on the page, shown once, works, and is revoked', async (desk) => {
  const page = await desk.visit('/tokens');
  await page.getByLabel('Name', { exact: true }).fill('grafana');
  await button(page, 'Make the token').click();
  const token = (await page.getByLabel('Lines to copy').innerText()).trim();
  desk.secrets.push(token);
  const status = async () => (await fetch(new URL('/v1/apps', desk.url), { headers: { Authorization: `Bearer ${token}` } })).status;
  assert.equal(await status(), 200);
  await go(page, '/apps');
  await go(page, '/tokens');
  await page.getByRole('row', { name: /grafana/ }).waitFor();
  await button(page, 'Revoke grafana').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.getByRole('row', { name: /grafana/ }).waitFor({ state: 'detached' });
  await page.getByLabel('also those that have ended').check();
  await page.getByRole('row', { name: /grafana/ }).getByText('revoked').waitFor();
  assert.equal(await status(), 401);
  await page.getByRole('row', { name: /this session/ }).waitFor();
});
