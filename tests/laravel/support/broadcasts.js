// Broadcasts of a Laravel application, as stock Echo receives them; the same for every driver and Redis
// client.
import assert from 'node:assert/strict';

import { inbox, subscription } from '../../e2e/support/echo.js';
import { test } from './scene.js';

const DETAILS = { link: 'a/b', to: 'Grüße ☃', weight: 2.5, gift: null, extras: [] };

/**
 * Registers the tests. `open(t)` gives a scene with the application as `app` and with `as(user)`, an Echo of
 * a user; `channelsAtATime` is how many channels this driver takes for one event.
 */
export function broadcasts(label, open, { channelsAtATime }) {
  const tell = (name, body) => test(`${label}: ${name}`, async (t) => body(await open(t)));

  tell('an event arrives under the name of its class, on a public and a private channel', async (scene) => {
    const echo = await scene.as('Ann');
    const channels = [echo.channel('orders'), echo.private('orders.1')];
    const inboxes = channels.map((channel) => inbox('OrderShipped', (put) => channel.listen('OrderShipped', put)));
    await Promise.all(channels.map(subscription));
    await scene.app.post('/orders/1/ship');
    // The same on both channels, and without the sender's socket id.
    for (const shipped of inboxes) assert.deepEqual(await shipped.next(), { id: 1, details: DETAILS });
  });

  tell("a private channel that is another's is denied, and error hears of it", async (scene) => {
    const echo = await scene.as('Bob');
    const denied = echo.private('orders.1');
    const errors = inbox('error', (put) => denied.error(put));
    const heard = inbox('OrderShipped', (put) => denied.listen('OrderShipped', put));
    assert.equal((await errors.next()).status, 403);
    const own = echo.private('orders.2');
    const atOwn = inbox('OrderShipped', (put) => own.listen('OrderShipped', put));
    await subscription(own);
    await scene.app.post('/orders/1/ship');
    await scene.app.post('/orders/2/ship');
    assert.equal((await atOwn.next()).id, 2);
    assert.deepEqual(heard.all, []);
  });

  tell('here, joining and leaving tell who is in a room', async (scene) => {
    const room = (await scene.as('Ann')).join('room.7');
    const here = inbox('here', (put) => room.here(put));
    const joining = inbox('joining', (put) => room.joining(put));
    const leaving = inbox('leaving', (put) => room.leaving(put));
    const [ann, bob] = [{ id: 1, name: 'Ann' }, { id: 2, name: 'Bob' }];
    assert.deepEqual(await here.next(), [ann]);
    const atBob = await scene.as('Bob');
    const bobHere = inbox('here', (put) => atBob.join('room.7').here(put));
    assert.deepEqual((await bobHere.next()).sort((a, b) => a.id - b.id), [ann, bob]);
    assert.deepEqual(await joining.next(), bob);
    atBob.leave('room.7');
    assert.deepEqual(await leaving.next(), bob);
  });

  tell('toOthers leaves out the page that X-Socket-ID names, and no other', async (scene) => {
    const [ann, bob] = [await scene.as('Ann'), await scene.as('Bob')];
    const rooms = [ann, bob].map((echo) => echo.join('room.7'));
    const [atAnn, atBob] = rooms.map((room) => inbox('.message.sent', (put) => room.listen('.message.sent', put)));
    await Promise.all(rooms.map(subscription));
    const say = (text, socketId) => scene.app.post('/rooms/7/messages', { body: { text }, socketId });
    await say('to others', ann.socketId());
    await say('to all');
    assert.deepEqual(await atBob.next(), { from: 'Ann', text: 'to others' });
    assert.deepEqual(await atBob.next(), { from: 'Ann', text: 'to all' });
    assert.deepEqual(await atAnn.next(), { from: 'Ann', text: 'to all' });
  });

  tell('a whisper reaches the others, and nobody asks the application', async (scene) => {
    const rooms = [(await scene.as('Ann')).join('room.7'), (await scene.as('Bob')).join('room.7')];
    const [atAnn, atBob] = rooms.map((room) => inbox('typing', (put) => room.listenForWhisper('typing', put)));
    await Promise.all(rooms.map(subscription));
    rooms[0].whisper('typing', { name: 'Ann' });
    assert.deepEqual(await atBob.next(), { name: 'Ann' });
    rooms[1].whisper('typing', { name: 'Bob' });
    assert.deepEqual(await atAnn.next(), { name: 'Bob' });
  });

  tell('a notification arrives with its id and type on the channel of its user', async (scene) => {
    const channel = (await scene.as('Ann')).private('App.Models.User.1');
    const notifications = inbox('notification', (put) => channel.notification(put));
    await subscription(channel);
    await scene.app.post('/users/1/notify');
    const { id, ...rest } = await notifications.next();
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    assert.deepEqual(rest, { text: 'Order 7 is paid', type: 'App\\Notifications\\OrderPaid' });
  });

  tell('what becomes of a model arrives on the channel of the model', async (scene) => {
    const channel = (await scene.as('Ann')).private('App.Models.Order.1');
    const updates = inbox('.OrderUpdated', (put) => channel.listen('.OrderUpdated', put));
    await subscription(channel);
    await scene.app.post('/orders/1/pay');
    assert.deepEqual((await updates.next()).model, { id: 1, user_id: 1, status: 'paid' });
  });

  tell('an event for more than 100 channels arrives on each of them', async (scene) => {
    const echo = await scene.as('Ann');
    const channels = Array.from({ length: 150 }, (_, index) => echo.channel(`price.${index + 1}`));
    const inboxes = channels.map((channel) => inbox(channel.name, (put) => channel.listen('PriceChanged', put)));
    await Promise.all(channels.map(subscription));
    await scene.app.post('/prices', { body: { channels: 150, at_a_time: channelsAtATime } });
    for (const changed of inboxes) assert.deepEqual(await changed.next(), []);
  });
}
