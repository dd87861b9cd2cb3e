// Laravel's `redis` broadcaster: events come from Redis, and Fanfare asks the application for authorization.
import assert from 'node:assert/strict';

import { inbox, subscription } from '../e2e/support/echo.js';
import { broadcasts } from './support/broadcasts.js';
import { DEFAULT_PREFIX, openRedis, test } from './support/scene.js';

for (const client of ['phpredis', 'predis']) {
  broadcasts(`redis by ${client}`, (t) => openRedis(t, { client }), { channelsAtATime: 150 });

  for (const [prefix, named] of [
    ['laravel-database-', 'as of Laravel 12.1'],
    ['', 'that is empty'],
  ]) {
    test(`redis by ${client}: events arrive with a prefix ${named}`, async (t) => {
      const scene = await openRedis(t, { client, prefix });
      const echo = await scene.as('Ann');
      const channels = [echo.channel('orders'), echo.private('orders.1')];
      const inboxes = channels.map((channel) => inbox('OrderShipped', (put) => channel.listen('OrderShipped', put)));
      await Promise.all(channels.map(subscription));
      await scene.app.post('/orders/1/ship');
      for (const shipped of inboxes) assert.equal((await shipped.next()).id, 1);
    });
  }
}

test('redis: with another prefix than the configured one nothing is delivered, under no name', async (t) => {
  const scene = await openRedis(t, { heard: 'shop_database_' });
  const echo = await scene.as('Ann');
  // With the prefix left in front, the name would be a public channel that anybody may join.
  const names = ['orders', `${DEFAULT_PREFIX}orders`, `${DEFAULT_PREFIX}private-orders.1`];
  const channels = names.map((name) => echo.channel(name));
  const inboxes = channels.map((channel) => inbox('OrderShipped', (put) => channel.listen('OrderShipped', put)));
  await Promise.all(channels.map(subscription));
  await scene.app.post('/orders/1/ship');
  // A later message with the right prefix, on the same connection to Redis, arrives later.
  await scene.redis.ask(`PUBLISH shop_database_orders '{"event":"App\\\\Events\\\\OrderShipped","data":"last"}'`);
  assert.equal(await inboxes[0].next(), 'last');
  for (const nothing of inboxes) assert.ok(nothing.all.every((data) => data === 'last'), nothing.name);
});
