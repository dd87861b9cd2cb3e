// What strangers put into the console, and what they try against it, in Chromium.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { APP } from '../e2e/support/fanfare.js';
import { subscribed } from '../e2e/support/waiting.js';
import { NARROW, WIDE, WITH_TOKENS, button, fits, go, says, settled, test } from './support/console.js';

/** Texts that would run, break out, reorder or stretch the page. All are texts that a user id, an event's name or data may be. */
const NASTY = {
  markup: '<img src=x onerror="pwned=1"><script>pwned=1</script></bdi></td></textarea><style>*{display:none}</style>',
  attribute: `" autofocus onfocus="pwned=1" x="' onclick='pwned=1`,
  template: '${pwned=1}{{pwned=1}}<%= pwned %>`\\u003cimg src=x onerror=pwned=1>',
  long: 'W'.repeat(120),
  controls: 'a\u0001b\u001bc\u007fd\u0085e\u2028f\u2029g',
  direction: 'user\u202eNIMDA\u202c\u2066\u200f\u061c',
  emoji: '👩‍👩‍👧‍👦🏳️‍🌈é́́́́́́́́́',
  address: 'javascript:pwned=1',
};

const TEN_KB = `<b>${'x'.repeat(9000)}</b>${' <i>y'.repeat(150)}`;

/** Nothing that a stranger wrote has become an element, or has run. */
async function isHarmless(page, what) {
  const found = await page.evaluate(() => ({
    pwned: 'pwned' in window,
    elements: document.querySelectorAll('main img, main script, main style, main i, [onerror], [onfocus], [onclick], [autofocus], a[href^="javascript:"]').length,
    hidden: document.body.checkVisibility() === false,
    raw: /[\u0001\u001b\u007f\u0085\u202e\u2066\u061c]/.test(document.body.textContent),
  }));
  assert.deepEqual(found, { pwned: false, elements: 0, hidden: false, raw: false }, what);
}

async function isSound(page, what) {
  for (const viewport of [WIDE, NARROW]) {
    await page.setViewportSize(viewport);
    await fits(page, `${what}, ${viewport.width} px`);
    await isHarmless(page, what);
  }
}

test('con_014 con_071 what strangers write is shown harmless, and no page breaks', async (desk) => {
  const { scene } = desk;
  for (const [kind, text] of Object.entries(NASTY)) {
    const user = { user_id: text, user_info: { name: text, about: TEN_KB.slice(0, 300) } };
    const client = await scene.client({ user });
    await subscribed(client.subscribe('presence-room'));
    await subscribed(client.subscribe(`private-${'n'.repeat(140)}.${kind}`));
    await subscribed(client.subscribe('private-cache-last'));
    await scene.sdk.trigger('private-cache-last', text, TEN_KB);
    await scene.sdk.trigger('presence-room', text, { text });
  }
  const page = await desk.visit(`/apps/${APP.id}/channels`);
  const menu = await page.locator('#menu a').evaluateAll((links) => links.map(({ hash }) => hash.slice(1)));
  // In an address all of them at once, and the longest alone.
  const corpus = [Object.values(NASTY).join(' '), NASTY.long].map(encodeURIComponent);
  const further = ['traces', 'channels/presence-room', 'channels/presence-room?tab=subscribers', 'channels/private-cache-last'];
  const typed = corpus.flatMap((text) => [`channels/${text}`, `connections?user=${text}`, `find?q=${text}`, `send?channel=${text}&event=${text}&data=${text}`, text]);
  for (const at of [...menu, ...further.map((at) => `/apps/${APP.id}/${at}`), ...typed.map((at) => `/apps/${APP.id}/${at}`), ...corpus.map((text) => `/apps/${text}`)]) {
    await go(page, at);
    await isSound(page, at);
  }
  await go(page, `/apps/${APP.id}/channels/presence-room`);
  await says(page, '␁');
  await says(page, '⟨U+202E⟩');
});

test('con_014 con_071 the name of an app, a sent event and its trace are shown harmless', async (desk) => {
  const page = await desk.visit('/apps');
  for (const [kind, text] of Object.entries(NASTY)) {
    await go(page, '/apps');
    await go(page, '/new');
    await page.getByLabel('Name').fill(text);
    await page.getByLabel('Id').fill(kind);
    await button(page, 'Make the app').click();
    await says(page, /The app is made|name/);
    await isSound(page, `the new app ${kind}`);
  }
  for (const at of ['/apps', '/apps/markup', '/apps/markup/settings', '/find?q=<img']) {
    await go(page, at);
    await isSound(page, at);
  }
  await go(page, `/apps/${APP.id}/send`);
  for (const text of Object.values(NASTY)) {
    await page.getByLabel('Channels', { exact: true }).fill('news');
    await page.getByLabel('Event', { exact: true }).fill(text);
    await page.getByLabel('Data').fill(`${text}${TEN_KB.slice(0, 9000)}`);
    await page.keyboard.press('Control+Enter');
    await says(page, /nobody got it on|✗/);
    await button(page, 'Remove news').click().catch(() => {});
    await isSound(page, 'a sent event');
  }
});
