// What readers of the console once stumbled over, in Chromium with real clients.
import assert from 'node:assert/strict';

import { APP } from '../e2e/support/fanfare.js';
import { inState, subscribed } from '../e2e/support/waiting.js';
import { button, go, says, test } from './support/console.js';

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
  const page = await desk.visit('/tokens');
  const days = page.getByLabel('Days until it expires');
  await page.getByLabel('Name').fill('for ninety days');
  for (const typed of ['90 days', '0', '-1', '1e3', 'never']) {
    await days.fill(typed);
    await says(page, 'a whole number of days');
    assert.ok(await button(page, 'Make the token').isDisabled(), typed);
  }
  await days.fill('90');
  await button(page, 'Make the token').click();
  await rowOf(page, /for ninety days/).getByText('in 89 d').waitFor();
});
