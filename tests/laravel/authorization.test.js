// Fanfare asks the application for authorization, and signs: with Laravel's `redis` broadcaster stock clients
// cannot join private channels otherwise.
import assert from 'node:assert/strict';

import { inbox, subscription } from '../e2e/support/echo.js';
import { APP } from '../e2e/support/fanfare.js';
import { askingWithCookie } from './support/laravel.js';
import { DEFAULT_PREFIX, authorizedBy, openPusher, openRedis, test } from './support/scene.js';

/** The URL at Fanfare. */
const endpoint = (scene) => `${scene.server.url.origin}/app/${APP.key}/auth`;

/** The answer to the form of a client without credentials. */
const ask = (scene, form) => fetch(endpoint(scene), { method: 'POST', body: new URLSearchParams(form) });

test('a name with the Redis prefix in front is refused, for which Laravel asks for no login', async (t) => {
  const scene = await openRedis(t, { authorizedAt: '/broadcasting/auth' });
  const stranger = await scene.as('Ann');
  const form = { socket_id: stranger.socketId(), channel_name: `${DEFAULT_PREFIX}private-lobby` };
  // The security hole: the application says yes to a client without any login.
  assert.deepEqual(await scene.app.authorize(form), { status: 200, text: 'true' });
  const answer = await ask(scene, form);
  assert.equal(answer.status, 403, await answer.text());
  // Under its own name the channel requires a login.
  assert.equal((await ask(scene, { ...form, channel_name: 'private-lobby' })).status, 403);
});

test("the cookie of a page's session tells the application who asks", async (t) => {
  const scene = await openRedis(t, { authorizedAt: '/broadcasting/auth' });
  const cookie = await scene.app.login('Ann');
  const echo = await scene.echo(askingWithCookie(endpoint(scene), cookie));
  await subscription(echo.private('orders.1'));
  const members = await subscription(echo.join('room.7'));
  assert.deepEqual(members.members, { 1: { id: 1, name: 'Ann' } });
});

test('a presence channel whose callback names nobody is refused', async (t) => {
  const scene = await openRedis(t);
  const echo = await scene.as('Ann');
  const errors = inbox('error', (put) => echo.join('nameless').error(put));
  assert.equal((await errors.next()).status, 403);
});

test('an encrypted channel is refused: the application gave no secret for it, and publishes in clear', async (t) => {
  const scene = await openRedis(t);
  const echo = await scene.as('Ann');
  const errors = inbox('error', (put) => echo.encryptedPrivate('orders.1').error(put));
  assert.equal((await errors.next()).status, 403);
});

test('what an application on the pusher driver has signed is handed on as it is', async (t) => {
  const scene = await openPusher(t, { asks: true });
  const echo = await scene.echo(authorizedBy(scene.server, 'Ann'));
  await subscription(echo.private('orders.1'));
  assert.deepEqual((await subscription(echo.join('room.7'))).me, { id: '1', info: { id: 1, name: 'Ann' } });
});
