// What holds other pages, other names and bound tokens off the console, in Chromium.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

import { APP } from '../e2e/support/fanfare.js';
import { Authority } from '../e2e/support/tls.js';
import { WITH_TOKENS, go, link, says, settled, test } from './support/console.js';

async function listen(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server.address().port;
}

/** The origin of a page that somebody else serves, and the page itself in a reader's browser. */
async function foreignPage(desk, context, host = '127.0.0.1') {
  const server = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end('<!doctype html><title>foreign</title><p>foreign</p>');
  });
  const page = await context.newPage();
  await page.goto(`http://${host}:${await listen(desk.t, server)}/`);
  return page;
}

const appIds = async (desk) => {
  const { token } = await desk.token('read');
  const answer = await fetch(new URL('/v1/apps', desk.url), { headers: { Authorization: `Bearer ${token}` } });
  return (await answer.json()).apps.map(({ id }) => id);
};

test('con_009 con_071 a page of another origin cannot act for a reader who is logged in, nor can one without the text of the session', async (desk) => {
  const own = await desk.visit('/apps');
  const statuses = await own.evaluate(async () => {
    const post = (headers) => fetch('/v1/apps', { method: 'POST', headers, body: '{"id":"forged"}' });
    const answers = [await post({}), await post({ 'X-CSRF-Token': 'guessed' })];
    return answers.map(({ status }) => status);
  });
  assert.deepEqual(statuses, [403, 403]);

  const { context } = await openReader(desk);
  for (const host of ['127.0.0.1', 'localhost', 'evil.test']) {
    const page = await foreignPage(desk, context, host);
    await page.evaluate(async (console) => {
      const url = new URL('/v1/apps', console).href;
      const post = (more) => fetch(url, { method: 'POST', credentials: 'include', body: '{"id":"forged"}', ...more }).catch(() => null);
      await post({ mode: 'no-cors' });
      await post({ headers: { 'X-CSRF-Token': 'guessed' } });
      const read = await fetch(url, { credentials: 'include' }).catch(() => null);
      if (read) throw new Error('the answer could be read');
    }, desk.url);
    // A form is sent by the browser itself.
    await page.evaluate((console) => {
      const form = Object.assign(document.createElement('form'), { method: 'POST', action: new URL('/v1/apps', console).href, enctype: 'text/plain' });
      form.append(Object.assign(document.createElement('input'), { name: '{"id":"forged","name":"', value: '"}' }));
      document.body.append(form);
      form.submit();
    }, desk.url);
    await page.waitForURL(/\/v1\/apps$/);
    await says(page, /csrf|token|session/i);
  }
  assert.deepEqual(await appIds(desk), [APP.id]);
});

/** A reader who is logged in and visits pages of others, which may ask wherever they like. */
async function openReader(desk) {
  const context = await desk.browser().then((browser) => browser.newContext());
  desk.t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(await desk.link());
  await settled(page);
  return { context, page };
}

test('con_010 con_071 under a foreign name that leads to this machine there is no console', async (desk) => {
  const { context } = await openReader(desk);
  const page = await context.newPage();
  const answer = await page.goto(`http://evil.test:${desk.server.adminUrl.port}/console/`);
  assert.equal(answer.status(), 421);
  assert.equal(await page.locator('script').count(), 0);
});

test('con_012 con_071 no other page can show the console in a frame', async (desk) => {
  const { context } = await openReader(desk);
  for (const host of ['127.0.0.1', 'evil.test']) {
    const page = await foreignPage(desk, context, host);
    const refused = page.waitForEvent('console', (said) => said.type() === 'error' && /frame-ancestors/.test(said.text()));
    await page.evaluate((url) => document.body.append(Object.assign(document.createElement('iframe'), { src: url })), desk.url);
    await refused;
    assert.ok(page.frames().every((frame) => !frame.url().startsWith(desk.url)), page.frames().map((frame) => frame.url()).join(' '));
  }
});

test('con_008 con_071 over plain HTTP the cookie is hidden from scripts and other sites', async (desk) => {
  const page = await desk.visit('/apps');
  const [{ name, httpOnly, sameSite, path, secure }] = await page.context().cookies();
  assert.deepEqual({ name, httpOnly, sameSite, path, secure }, { name: 'fanfare_session', httpOnly: true, sameSite: 'Strict', path: '/', secure: false });
  assert.equal(await page.evaluate(() => document.cookie), '');
});

test(
  'con_008 con_053 con_071 behind a proxy with TLS the cookie is for this host and TLS alone, and the console works; clients come by another',
  async (desk, t) => {
    const authority = await Authority.make(t);
    const [cert, key] = await Promise.all([readFile(authority.file('fullchain.pem')), readFile(authority.file('privkey.pem'))]);
    const proxy = createTlsServer({ cert, key }, (asked, answer) => {
      const headers = { ...asked.headers, 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7' };
      const upstream = request({ host: '127.0.0.1', port: desk.server.adminUrl.port, method: asked.method, path: asked.url, headers }, (own) => {
        answer.writeHead(own.statusCode, own.headers);
        own.pipe(answer);
      });
      asked.pipe(upstream);
    });
    const url = `https://localhost:${await listen(t, proxy)}`;
    const context = await desk.reader({ origin: url, ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(await desk.link({ url }));
    await settled(page);
    const [{ name, httpOnly, sameSite, path, secure }] = await context.cookies();
    assert.deepEqual({ name, httpOnly, sameSite, path, secure }, { name: '__Host-fanfare', httpOnly: true, sameSite: 'Strict', path: '/', secure: true });
    await go(page, `/apps/${APP.id}/send?channel=news&event=greeting`);
    await page.keyboard.press('Escape');
    await page.getByLabel('Data').fill('1');
    await page.keyboard.press('Control+Enter');
    await says(page, /nobody got it on/);
    await go(page, `/apps/${APP.id}/connect`);
    await says(page, 'Fill in host and port: behind a proxy the server does not know by which its clients come.');
    const lines = page.getByLabel('Lines for .env', { exact: true });
    await lines.getByText('PUSHER_HOST=ws.example.com').waitFor();
    assert.ok(!(await lines.innerText()).includes('localhost'), 'the name of the proxy for operators is not claimed');
    await page.getByLabel('Host').fill('live.test');
    await says(page, 'Fill in port:');
    await page.getByLabel('Port').fill('8443');
    await page.getByText('Fill in').waitFor({ state: 'detached' });
    await lines.getByText('PUSHER_HOST=live.test').waitFor();
  },
  { config: WITH_TOKENS.replace('[timeouts]', '[listen]\ntrusted_proxies = ["127.0.0.1"]\n\n[timeouts]') },
);

test('con_016 con_070 a token bound to an app shows nothing of another, neither on a page nor in an answer', async (desk) => {
  const made = JSON.parse(await desk.server.command('app', 'create', '--id', '1001', '--name', 'the neighbour', '--json'));
  desk.secrets.push(made.keys[0].secret, made.keys[0].key, 'the neighbour');
  const page = await desk.visit(`/apps/${APP.id}/channels`, { login: { app: APP.id } });
  await go(page, '/apps');
  await link(page, APP.id).waitFor();
  const own = await page.locator('#menu a[href^="#/apps/"]').evaluateAll((links) => links.map(({ hash }) => hash.slice(1)));
  const foreign = own.map((at) => at.replace(`/apps/${APP.id}/`, '/apps/1001/'));
  for (const at of [...foreign, `/apps/${APP.id}/find?q=the`, '/find?q=1001', '/node', '/audit', '/tokens']) await go(page, at);
  await go(page, '/apps/1001/channels');
  await says(page, 'It was deleted, or this token may not see it.');
  const routes = await page.evaluate(async () => {
    const { paths } = await (await fetch('/v1/openapi.json')).json();
    return Object.entries(paths).filter(([path, { get }]) => get && path.includes('{id}')).map(([path]) => path);
  });
  assert.ok(routes.length > 8, routes.join(' '));
  for (const route of routes) {
    const path = route.replace('{id}', '1001').replace(/\{\w+\}/g, 'x');
    const answered = await page.evaluate(async (path) => {
      const answer = await fetch(path);
      return [answer.status, (await answer.json()).type];
    }, path);
    assert.deepEqual(answered, [404, 'urn:fanfare:problem:no-such-app'], path);
  }
});
