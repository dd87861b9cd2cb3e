// Laravel Echo with pusher-js below, as a Laravel application uses both its broadcasters.
import assert from 'node:assert/strict';

import { inbox, subscription } from './support/echo.js';
import { Scene, test } from './support/scene.js';
import { until } from './support/waiting.js';

for (const broadcaster of ['pusher', 'reverb']) {
  const kinds = {
    channel: ['channel', 'orders', 'orders'],
    private: ['private', 'orders.7', 'private-orders.7'],
    'private-encrypted': ['encryptedPrivate', 'orders.7', 'private-encrypted-orders.7'],
    presence: ['join', 'orders.7', 'presence-orders.7'],
  };
  for (const [kind, [method, name, wireName]] of Object.entries(kinds)) {
    test(`${broadcaster}: listen on a ${kind} channel hears class names and broadcastAs names`, async (t) => {
      const scene = await Scene.open(t);
      const echo = await scene.echo({ broadcaster, user: { user_id: '7', user_info: { name: 'Ann' } } });
      const channel = echo[method](name);
      const shipped = inbox('OrderShipped', (put) => channel.listen('OrderShipped', put));
      const named = inbox('.order.shipped', (put) => channel.listen('.order.shipped', put));
      const full = inbox('\\Domain\\Paid', (put) => channel.listen('\\Domain\\Paid', put));
      await subscription(channel);
      await scene.sdk.trigger(wireName, 'App\\Events\\OrderShipped', { order: { id: 7 } });
      await scene.sdk.trigger(wireName, 'order.shipped', { by: 'name' });
      await scene.sdk.trigger(wireName, 'Domain\\Paid', { by: 'class' });
      assert.deepEqual(await shipped.next(), { order: { id: 7 } });
      assert.deepEqual(await named.next(), { by: 'name' });
      assert.deepEqual(await full.next(), { by: 'class' });
    });
  }

  test(`${broadcaster}: here, joining and leaving tell who is in a presence channel`, async (t) => {
    const scene = await Scene.open(t);
    const user = (user_id, name) => ({ user_id, user_info: { id: user_id, name } });
    const ann = await scene.echo({ broadcaster, user: user('1', 'Ann') });
    const room = ann.join('room');
    const here = inbox('here', (put) => room.here(put));
    const joining = inbox('joining', (put) => room.joining(put));
    const leaving = inbox('leaving', (put) => room.leaving(put));
    assert.deepEqual(await here.next(), [{ id: '1', name: 'Ann' }]);

    const bob = await scene.echo({ broadcaster, user: user('2', 'Bob') });
    const bobHere = inbox('here', (put) => bob.join('room').here(put));
    const byId = (a, b) => a.id.localeCompare(b.id);
    assert.deepEqual((await bobHere.next()).sort(byId), [
      { id: '1', name: 'Ann' },
      { id: '2', name: 'Bob' },
    ]);
    assert.deepEqual(await joining.next(), { id: '2', name: 'Bob' });
    bob.leave('room');
    assert.deepEqual(await leaving.next(), { id: '2', name: 'Bob' });
  });
}

test('leaveChannel ends one kind of the name, and leaveAllChannels all of them', async (t) => {
  const scene = await Scene.open(t);
  const echo = await scene.echo();
  await Promise.all([echo.channel('x'), echo.private('x'), echo.channel('y')].map(subscription));
  const list = async () => Object.keys((await (await scene.sdk.get({ path: '/channels' })).json()).channels).join();
  assert.equal(await list(), 'private-x,x,y');
  echo.leaveChannel('private-x');
  await until(async () => (await list()) === 'x,y', 'the end of one subscription');
  echo.leaveAllChannels();
  await until(async () => (await list()) === '', 'the end of all subscriptions');
});

test('a notification arrives on the channel of its user', async (t) => {
  const scene = await Scene.open(t);
  const echo = await scene.echo();
  const channel = echo.private('App.Models.User.7');
  const notifications = inbox('notification', (put) => channel.notification(put));
  await subscription(channel);
  const notification = { text: 'hello', id: 'a-uuid', type: 'App\\Notifications\\Ping' };
  const name = 'Illuminate\\Notifications\\Events\\BroadcastNotificationCreated';
  await scene.sdk.trigger('private-App.Models.User.7', name, notification);
  assert.deepEqual(await notifications.next(), notification);
});

test('listenToAll hears every event with its name', async (t) => {
  const scene = await Scene.open(t);
  const channel = (await scene.echo()).channel('orders');
  const all = inbox('listenToAll', (put) => channel.listenToAll((event, data) => put([event, data])));
  await subscription(channel);
  await scene.sdk.trigger('orders', 'App\\Events\\OrderShipped', 1);
  await scene.sdk.trigger('orders', 'order.shipped', 2);
  assert.deepEqual([await all.next(), await all.next()], [
    ['OrderShipped', 1],
    ['.order.shipped', 2],
  ]);
});

test('toOthers leaves out the connection that socketId names', async (t) => {
  const scene = await Scene.open(t);
  const [ann, bob] = [await scene.echo(), await scene.echo()];
  const channels = [ann, bob].map((echo) => echo.private('orders'));
  const [atAnn, atBob] = channels.map((channel) => inbox('Sent', (put) => channel.listen('Sent', put)));
  await Promise.all(channels.map(subscription));
  await scene.sdk.trigger('private-orders', 'App\\Events\\Sent', 'to others', { socket_id: ann.socketId() });
  await scene.sdk.trigger('private-orders', 'App\\Events\\Sent', 'to all');
  assert.deepEqual([await atBob.next(), await atBob.next()], ['to others', 'to all']);
  assert.equal(await atAnn.next(), 'to all');
});

test('leave unsubscribes every kind of the name, and error hears a refusal', async (t) => {
  const scene = await Scene.open(t);
  const echo = await scene.echo({ user: { user_id: '1' } });
  const kinds = [echo.channel('x'), echo.private('x'), echo.encryptedPrivate('x'), echo.join('x')];
  const channels = [...kinds, echo.channel('y')];
  await Promise.all(channels.map(subscription));
  const list = async () => Object.keys((await (await scene.sdk.get({ path: '/channels' })).json()).channels);
  assert.deepEqual((await list()).sort(), ['presence-x', 'private-encrypted-x', 'private-x', 'x', 'y']);
  echo.leave('x');
  await until(async () => (await list()).join() === 'y', 'the end of the subscriptions');

  const refused = await scene.echo({ channelAuthorization: { endpoint: scene.authorization.refusing } });
  const errors = inbox('error', (put) => refused.private('x').error(put));
  assert.equal((await errors.next()).status, 403);
});
