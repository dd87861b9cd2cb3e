// Subscribing to channels of every kind, and the reasons of refusals.
import assert from 'node:assert/strict';

import { appWith } from './support/fanfare.js';
import { settle } from './support/pair.js';
import { Scene, sdkFor, test } from './support/scene.js';
import { allDone, inboxOf, subscribed, until } from './support/waiting.js';

for (const name of ['news', 'private-orders', 'private-encrypted-orders', 'presence-room', 'privateer']) {
  test(`a subscriber of ${name} hears what the SDK publishes`, async (t) => {
    const scene = await Scene.open(t);
    const pusher = await scene.client({ user: { user_id: 'ann', user_info: { name: 'Ann' } } });
    const channel = pusher.subscribe(name);
    const events = inboxOf(channel, 'hello');
    await subscribed(channel);
    await scene.sdk.trigger(name, 'hello', { text: 'grüße ☃', list: [1, 2.5, null] });
    assert.deepEqual(await events.next(), { text: 'grüße ☃', list: [1, 2.5, null] });
  });
}

test('ws_200 what goes over the wire of an encrypted channel is ciphertext', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const messages = inboxOf(pusher.connection, 'message');
  await subscribed(pusher.subscribe('private-encrypted-orders'));
  await scene.sdk.trigger('private-encrypted-orders', 'hello', { secret: 'plain' });
  let message;
  do message = await messages.next();
  while (message.event !== 'hello');
  assert.deepEqual(Object.keys(message.data).sort(), ['ciphertext', 'nonce']);
});

test('ws_104 data that is no JSON, and empty data, arrive as they were sent', async (t) => {
  const scene = await Scene.open(t);
  const channel = (await scene.client()).subscribe('news');
  const events = inboxOf(channel, 'raw');
  await subscribed(channel);
  for (const data of ['not json {', '', '  {"a" : 1.0}']) await scene.sdk.trigger('news', 'raw', data);
  assert.deepEqual([await events.next(), await events.next(), await events.next()], ['not json {', '', { a: 1 }]);
});

test('ws_140 after unsubscribe nothing comes any more', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const messages = inboxOf(pusher.connection, 'message');
  const [left, kept] = [pusher.subscribe('left'), pusher.subscribe('kept')];
  await Promise.all([subscribed(left), subscribed(kept)]);
  pusher.unsubscribe('left');
  // The server processes commands of one connection in order: the pong shows that unsubscribe is done.
  pusher.send_event('pusher:ping', {});
  while ((await messages.next()).event !== 'pusher:pong');
  await scene.sdk.trigger(['left', 'kept'], 'hello', {});
  assert.equal((await messages.next()).channel, 'kept');
  await settle();
  const answer = await (await scene.sdk.get({ path: '/channels' })).json();
  assert.deepEqual(answer, { channels: { kept: {} } });
});

test('ws_137 subscribing twice is an error and changes nothing', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const channel = pusher.subscribe('news');
  await subscribed(channel);
  const errors = inboxOf(pusher.connection, 'error');
  const events = inboxOf(channel, 'hello');
  pusher.send_event('pusher:subscribe', { auth: '', channel: 'news' });
  assert.deepEqual((await errors.next()).data, { code: null, message: 'Existing subscription to channel news' });
  await scene.sdk.trigger('news', 'hello', 1);
  await scene.sdk.trigger('news', 'hello', 2);
  assert.deepEqual([await events.next(), await events.next()], [1, 2]);
});

test('ws_131 a wrong signature is an error of the connection, which stays', async (t) => {
  const scene = await Scene.open(t);
  const other = await scene.authorizationBy(sdkFor(scene.server, { secret: 'not-the-secret' }));
  const pusher = await scene.client({ channelAuthorization: { endpoint: other.endpoint() } });
  const errors = inboxOf(pusher.connection, 'error');
  const refused = pusher.subscribe('private-orders');
  const { code, message } = (await errors.next()).data;
  assert.equal(code, null);
  const socketId = pusher.connection.socket_id.replace('.', '\\.');
  const signed = `${socketId}:private-orders`;
  const text = `^Invalid signature: Expected HMAC SHA256 hex digest of ${signed}, but got [0-9a-f]{64}$`;
  assert.match(message, new RegExp(text));
  assert.equal(refused.subscribed, false);

  const news = pusher.subscribe('news');
  const events = inboxOf(news, 'hello');
  await subscribed(news);
  await scene.sdk.trigger(['news', 'private-orders'], 'hello', 'public');
  assert.equal(await events.next(), 'public');
  assert.equal(pusher.connection.state, 'connected');
});

test('ws_131 hosted words for every other refusal of a subscription', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const errors = inboxOf(pusher.connection, 'error');
  const cases = [
    [{ channel: 'private-a' }, 'Auth info required to subscribe to private-a'],
    [
      { channel: 'private-a', auth: 'nocolon' },
      "Auth value for subscription to private-a is invalid: should be of format 'key:signature'",
    ],
    [{ channel: 'private-a', auth: 'other:ff' }, "Invalid key in subscription auth data: 'other'"],
    [{ channel: 'a b', auth: '' }, 'Invalid channel name: a b'],
    [{ auth: '' }, 'Missing parameter: data.channel'],
    [
      { channel: 'presence-a', ...scene.sdk.authorizeChannel(pusher.connection.socket_id, 'presence-a') },
      'Missing parameter: data.channel_data is required to subscribe to presence-a',
    ],
  ];
  for (const [data, message] of cases) {
    pusher.send_event('pusher:subscribe', data);
    assert.deepEqual((await errors.next()).data, { code: null, message });
  }
  pusher.send_event('pusher:unsubscribe', { channel: 'nowhere' });
  assert.deepEqual((await errors.next()).data, {
    code: null,
    message: 'No current subscription to channel nowhere, or subscription in progress',
  });
  pusher.send_event('no-such-event', {});
  assert.deepEqual((await errors.next()).data, {
    code: null,
    message: 'Unsupported event received on socket: no-such-event',
  });
  assert.equal(pusher.connection.state, 'connected');
});

test('an endpoint that refuses is a subscription error of the channel', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client({ channelAuthorization: { endpoint: scene.authorization.refusing } });
  const errors = inboxOf(pusher.subscribe('private-orders'), 'pusher:subscription_error');
  assert.equal((await errors.next()).status, 403);
  assert.equal(pusher.connection.state, 'connected');
});

/** A private channel whose subscription the server will refuse, and the errors of channel and connection. */
async function refusedByTheServer(t, options) {
  const scene = await Scene.open(t, options);
  const other = await scene.authorizationBy(sdkFor(scene.server, { secret: 'not-the-secret' }));
  const pusher = await scene.client({ channelAuthorization: { endpoint: other.endpoint() } });
  const errors = inboxOf(pusher.connection, 'error');
  const channel = pusher.subscribe('private-orders');
  const ofChannel = inboxOf(channel, 'pusher:subscription_error');
  return { scene, pusher, channel, errors, ofChannel };
}

test('ws_132 a refused subscription stays pending, and only the connection has the error', async (t) => {
  const { pusher, channel, errors, ofChannel } = await refusedByTheServer(t);
  assert.match((await errors.next()).data.message, /^Invalid signature/);
  await allDone(pusher);
  assert.deepEqual([channel.subscriptionPending, channel.subscribed], [true, false]);
  assert.deepEqual(ofChannel.all, []);
  assert.equal(pusher.connection.state, 'connected');
});

test('ws_133 with subscription_error_event the channel has the error as well', async (t) => {
  const options = { config: appWith('subscription_error_event = true') };
  const { pusher, errors, ofChannel } = await refusedByTheServer(t, options);
  const { type, error, status } = await ofChannel.next();
  assert.deepEqual([type, status], ['AuthError', 401]);
  assert.equal(error, (await errors.next()).data.message);
  assert.equal(pusher.connection.state, 'connected');
});

test('ws_137 subscribing again in pusher-js is harmless, also after an unsubscribe', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const errors = inboxOf(pusher.connection, 'error');
  const messages = inboxOf(pusher.connection, 'message');
  const channel = pusher.subscribe('news');
  assert.equal(pusher.subscribe('news'), channel);
  await subscribed(channel);
  assert.equal(pusher.subscribe('news'), channel);
  pusher.unsubscribe('news');
  const again = pusher.subscribe('news');
  const events = inboxOf(again, 'hello');
  await subscribed(again);
  await scene.sdk.trigger('news', 'hello', 1);
  assert.equal(await events.next(), 1);
  assert.deepEqual(errors.all, []);
  const names = messages.all.map(({ event }) => event);
  const succeeded = 'pusher_internal:subscription_succeeded';
  assert.deepEqual(names, [succeeded, succeeded, 'hello']);
});

test('ws_142 a subscription that is taken back before its success is over soon after', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const kept = pusher.subscribe('kept');
  pusher.subscribe('cancelled');
  pusher.unsubscribe('cancelled');
  pusher.subscribe('reinstated');
  pusher.unsubscribe('reinstated');
  const reinstated = pusher.subscribe('reinstated');
  await Promise.all([subscribed(kept), subscribed(reinstated)]);
  const list = async () => Object.keys((await (await scene.sdk.get({ path: '/channels' })).json()).channels);
  await until(async () => (await list()).join() === 'kept,reinstated', 'the end of the subscription');
});
