// The live page of the console in Chromium, with real clients and a back end.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';

import { asking, redisBroadcaster, startApplication } from '../e2e/support/application.js';
import { APP, appWith } from '../e2e/support/fanfare.js';
import { test as sceneTest } from '../e2e/support/scene.js';
import { subscribed, until } from '../e2e/support/waiting.js';
import { Desk, button, go, link, says, test } from './support/console.js';

const rows = (page) => page.locator('.live > li');

const row = (page, text) => rows(page).filter({ hasText: text }).first();

/** A way to the server that can be cut: all connections over it at once. While it is `closed`, none comes through. */
async function startWay(t, port) {
  const sockets = new Set();
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const state = { closed: false };
  const way = createServer((near) => {
    if (state.closed) return near.destroy();
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy()).on('close', () => sockets.delete(from));
    }
  }).listen(0, '127.0.0.1');
  await once(way, 'listening');
  t.after(() => {
    cut();
    way.close();
  });
  return Object.assign(state, { cut, origin: `http://127.0.0.1:${way.address().port}` });
}

/** The live page with the server listening, and what the address asks for. */
async function listening(desk, query = '', options) {
  const page = await desk.visit(`/apps/${APP.id}/live${query}`, options);
  await says(page, 'listening since');
  return page;
}

test('con_028 con_036 con_070 what happens is listed as it happens, and an entry opens to all that is known of it', async (desk) => {
  const page = await listening(desk);
  await page.getByLabel('members').check();
  await says(page, 'listening since');
  const ann = await desk.scene.signedIn({ id: '42' }, { user: { user_id: '42', user_info: { name: 'Ann' } } });
  const bob = await desk.scene.client({ user: { user_id: '43' } });
  const room = ann.subscribe('presence-room');
  await subscribed(room);
  await subscribed(bob.subscribe('presence-room'));
  room.trigger('client-typing', { at: 1 });
  await desk.scene.sdk.trigger('presence-room', 'OrderShipped', { id: 7 });
  bob.send_event('pusher:subscribe', { channel: 'private-closed', auth: `${APP.key}:0` });
  await row(page, 'refused').waitFor();
  bob.disconnect();
  for (const words of ['connected', 'signed in', 'occupied', 'subscribed', 'member added', 'client event', 'member removed', 'closed']) {
    await row(page, words).waitFor();
  }
  const event = row(page, 'OrderShipped');
  await event.getByText('2 receivers').waitFor();
  await event.getByRole('button', { name: 'Open the entry' }).click();
  await event.getByLabel('Data').getByText('{"id":7}').waitFor();
  await event.getByRole('button', { name: 'Send again' }).click();
  await page.getByRole('heading', { name: 'Send an event' }).waitFor();
  assert.equal(await page.getByLabel('Data').inputValue(), '{"id":7}');
  assert.equal(await page.getByLabel('Event', { exact: true }).inputValue(), 'OrderShipped');
});

test('con_029 the server filters by channel and event; a link carries the filter', async (desk) => {
  const client = await desk.scene.client();
  for (const name of ['private-orders.1', 'private-other']) await subscribed(client.subscribe(name));
  const page = await listening(desk, '?channel=private-orders.*');
  await desk.scene.sdk.trigger('private-other', 'unwanted', 1);
  await desk.scene.sdk.trigger('private-orders.1', 'wanted', 2);
  await row(page, 'wanted').waitFor();
  assert.equal(await row(page, 'unwanted').count(), 0);
  assert.equal(await page.getByLabel('Channel', { exact: true }).inputValue(), 'private-orders.*');
});

test('con_033 con_034 paused the page counts what it holds back; a cut stream empties nothing', async (desk, t) => {
  const way = await startWay(t, desk.server.adminUrl.port);
  const page = await listening(desk, '', { origin: way.origin, login: { url: way.origin } });
  await desk.scene.sdk.trigger('news', 'first', 1);
  await row(page, 'first').waitFor();
  await button(page, 'Pause').click();
  await desk.scene.sdk.trigger('news', 'second', 2);
  await button(page, 'Resume, 1 held back').waitFor();
  assert.equal(await row(page, 'second').count(), 0);
  await button(page, 'Resume, 1 held back').click();
  await row(page, 'second').waitFor();
  way.cut();
  await row(page, 'The stream was cut here').waitFor();
  await desk.scene.sdk.trigger('news', 'third', 3);
  await row(page, 'third').waitFor();
  await row(page, 'first').waitFor();
  await button(page, 'Clear').click();
  await says(page, 'Nothing yet.');
});

test('con_066 the live page, too, shows a bar while the server is gone, keeps its entries, and goes on when it is back', async (desk, t) => {
  const way = await startWay(t, desk.server.adminUrl.port);
  const page = await listening(desk, '', { origin: way.origin, login: { url: way.origin } });
  await desk.scene.sdk.trigger('news', 'first', 1);
  await row(page, 'first').waitFor();
  way.closed = true;
  way.cut();
  await says(page, 'The server does not answer. What you see may be old.');
  await says(page, /Next attempt in \d+ s/);
  await row(page, 'first').waitFor();
  way.closed = false;
  await button(page, 'Try now').click();
  await page.locator('.bar').waitFor({ state: 'detached' });
  await row(page, 'The stream was cut here').waitFor();
  await desk.scene.sdk.trigger('news', 'second', 2);
  await row(page, 'second').waitFor();
});

test('con_032 a third live page of a session is refused, and says what to do; once another is closed, it listens', async (desk) => {
  const first = await listening(desk);
  const open = async () => {
    const page = await first.context().newPage();
    await page.goto(first.url());
    return page;
  };
  await says(await open(), 'listening since');
  const third = await open();
  await says(third, 'Close another Live page of yours');
  await first.close();
  await until(async () => {
    if (await third.getByText('listening since').count()) return true;
    await button(third, 'Try again').click({ timeout: 1_000 }).catch(() => {});
    return false;
  }, 'a place for the third page');
});

test('con_015 con_035 without the scope payloads no data is shown; an empty list says what is listened to', async (desk) => {
  const page = await listening(desk, '', { login: { scope: 'read' } });
  await says(page, 'Nothing yet.');
  await link(page, 'Send a test event').waitFor();
  await desk.scene.sdk.trigger('news', 'greeting', 'not-for-everybody');
  const entry = row(page, 'greeting');
  await entry.getByRole('button', { name: 'Open the entry' }).click();
  await entry.getByText('Channel', { exact: true }).waitFor();
  assert.ok(!(await page.content()).includes('not-for-everybody'));
});

/** A server of `node:net` or `node:http` on a free port, closed when the test ends. */
async function portOf(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return server.address().port;
}

/** A Redis on a free port, ended with the test; gives the port. */
async function startRedis(t) {
  const free = createServer();
  const port = await portOf(t, free);
  free.close();
  await once(free, 'close');
  const redis = spawn('redis-server', ['--port', String(port), '--save', '', '--bind', '127.0.0.1', '--dir', '/tmp'], { stdio: 'ignore' });
  const ended = once(redis, 'close');
  t.after(async () => {
    redis.kill();
    await ended;
  });
  await until(() => command(port, 'PING').then((said) => said.startsWith('+PONG'), () => false), 'the Redis');
  return port;
}

/** What a Redis answers to a command. */
async function command(port, ...words) {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
  const [answer] = await once(socket, 'data');
  socket.destroy();
  return String(answer);
}

sceneTest('con_028 con_070 events from Redis, authorizations, webhooks and changes of the app have entries, too', async (t) => {
  const redis = await startRedis(t);
  const hooks = await portOf(t, createHttpServer((asked, answer) => {
    answer.statusCode = asked.url === '/works' ? 200 : 500;
    answer.end();
  }));
  const hook = (name) => `{ url = "http://127.0.0.1:${hooks}/${name}", events = ["channel_existence"] }`;
  const settings = [...(await startApplication(t, redisBroadcaster)), `webhooks = [${hook('works')}, ${hook('fails')}]`];
  const config = `${appWith(...settings)}\n[apps]\ndatabase = "sqlite"\n[redis_feed]\nurl = "redis://127.0.0.1:${redis}"\nprefix = ""\n`;
  const desk = await Desk.open(t, { config });
  const page = await listening(desk);
  const client = await desk.scene.client(asking(desk.server, 'ann-token'));
  await subscribed(client.subscribe('private-orders'));
  const broadcast = JSON.stringify({ event: 'OrderShipped', data: { id: 7 }, socket: null });
  await until(async () => (await command(redis, 'PUBLISH', 'private-orders', broadcast)).startsWith(':1'), 'the feed');
  for (const words of ['redis event', 'authorization', 'webhook delivered', 'webhook failed']) await row(page, words).waitFor();
  await row(page, 'redis event').getByText('OrderShipped').waitFor();

  await desk.server.command('app', 'create', '--id', '1001', '--name', 'shop');
  await go(page, '/apps/1001/live?kinds=app_changed');
  await says(page, 'listening since');
  const { token } = await desk.token('write');
  const body = JSON.stringify({ settings: { client_events: true } });
  const headers = { Authorization: `Bearer ${token}` };
  await fetch(new URL('/v1/apps/1001', desk.url), { method: 'PATCH', headers, body });
  await row(page, 'app changed').waitFor();
  await desk.judge();
});
