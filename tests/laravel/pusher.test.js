// Laravel's `pusher` broadcaster: events come over HTTP, and the application signs for its channels.
import assert from 'node:assert/strict';

import { subscription } from '../e2e/support/echo.js';
import { until } from '../e2e/support/waiting.js';
import { broadcasts } from './support/broadcasts.js';
import { askingWithCookie } from './support/laravel.js';
import { openPusher, test } from './support/scene.js';

broadcasts('pusher', openPusher, { channelsAtATime: 100 });

test('pusher: a page of the application is authorized by the cookie of its session', async (t) => {
  const scene = await openPusher(t);
  const cookie = await scene.app.login('Ann');
  const echo = await scene.echo(askingWithCookie(`${scene.app.url}/broadcasting/auth`, cookie));
  await subscription(echo.private('orders.1'));
  const members = await subscription(echo.join('room.7'));
  assert.deepEqual(members.members, { 1: { id: 1, name: 'Ann' } });
});

test('pusher: what Fanfare refuses is what the application reports, in one line', async (t) => {
  const scene = await openPusher(t);
  const body = { text: 'x'.repeat(10_240) };
  await assert.rejects(() => scene.app.post('/rooms/7/messages', { body }), /500/);
  const words = 'Pusher error: The data content of this event exceeds the allowed maximum (10240 bytes)';
  await until(() => scene.app.log.includes(words), words);
});
