// Publishing over HTTP with the stock Node SDK.
import assert from 'node:assert/strict';

import { Scene, sdkFor, test } from './support/scene.js';
import { inboxOf, subscribed } from './support/waiting.js';

const json = async (answer) => (await answer).json();
const refusal = (promise) => promise.then(() => assert.fail('was accepted'), (error) => error);

test('one trigger reaches 100 channels', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const names = Array.from({ length: 100 }, (_, i) => `channel-${i}`);
  const channels = names.map((name) => pusher.subscribe(name));
  const inboxes = channels.map((channel) => inboxOf(channel, 'hello'));
  await Promise.all(channels.map((channel) => subscribed(channel)));
  const answer = await scene.sdk.trigger(names, 'hello', { n: 1 });
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), {});
  for (const inbox of inboxes) assert.deepEqual(await inbox.next(), { n: 1 });
  assert.ok(inboxes.every((inbox) => inbox.all.length === 1));
  const error = await refusal(
    scene.sdk.post({ path: '/events', body: { name: 'hello', data: '', channels: [...names, 'one-more'] } }),
  );
  assert.equal(error.status, 400);
});

test('a batch of ten arrives in order', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const channels = ['a', 'b'].map((name) => pusher.subscribe(name));
  const messages = inboxOf(pusher.connection, 'message');
  const batch = Array.from({ length: 10 }, (_, i) => ({ channel: 'ab'[i % 2], name: `event-${i}`, data: { i } }));
  await Promise.all(channels.map((channel) => subscribed(channel)));
  assert.deepEqual(await json(scene.sdk.triggerBatch(batch)), {});
  const heard = { a: [], b: [] };
  while (heard.a.length + heard.b.length < 10) {
    const message = await messages.next();
    if (message.event.startsWith('event-')) heard[message.channel].push(message.data.i);
  }
  assert.deepEqual(heard, { a: [0, 2, 4, 6, 8], b: [1, 3, 5, 7, 9] });
  const eleven = Array.from({ length: 11 }, () => ({ channel: 'a', name: 'too', data: 'many' }));
  assert.equal((await refusal(scene.sdk.triggerBatch(eleven))).status, 400);
});

test('api_014 the connection named by socket_id is left out, on both endpoints', async (t) => {
  const scene = await Scene.open(t);
  const [sender, other] = [await scene.client(), await scene.client()];
  const [atSender, atOther] = [sender, other].map((pusher) => pusher.subscribe('news'));
  const [fromSender, fromOther] = [atSender, atOther].map((channel) => inboxOf(channel, 'hello'));
  await Promise.all([subscribed(atSender), subscribed(atOther)]);
  const socket_id = sender.connection.socket_id;
  await scene.sdk.trigger('news', 'hello', 'others only', { socket_id });
  await scene.sdk.triggerBatch([{ channel: 'news', name: 'hello', data: 'others again', socket_id }]);
  // An id of no connection excludes no subscriber.
  await scene.sdk.trigger('news', 'hello', 'everybody', { socket_id: '1.1' });
  const odd = { name: 'hello', channel: 'news', data: '"everybody again"', socket_id: 'nonsense' };
  await scene.sdk.post({ path: '/events', body: odd });
  assert.deepEqual(
    [await fromOther.next(), await fromOther.next(), await fromOther.next(), await fromOther.next()],
    ['others only', 'others again', 'everybody', 'everybody again'],
  );
  assert.deepEqual([await fromSender.next(), await fromSender.next()], ['everybody', 'everybody again']);
});

test('api_013 api_026 info comes back for triggers and batches', async (t) => {
  const scene = await Scene.open(t);
  const tabs = [];
  for (const user of ['ann', 'ann', 'bob']) {
    const pusher = await scene.client({ user: { user_id: user } });
    tabs.push(pusher.subscribe('presence-room'), pusher.subscribe('news'));
  }
  await Promise.all(tabs.map((channel) => subscribed(channel)));
  const info = { info: 'user_count,subscription_count' };
  const one = await json(scene.sdk.trigger(['presence-room', 'news', 'empty'], 'e', {}, info));
  assert.equal(one.channels['presence-room'].user_count, 2);
  assert.deepEqual(one.channels.news, { subscription_count: 3 });
  assert.deepEqual(one.channels.empty, { subscription_count: 0 });
  const many = await json(
    scene.sdk.triggerBatch([
      { channel: 'presence-room', name: 'e', data: 1, info: 'user_count' },
      { channel: 'news', name: 'e', data: 2 },
      { channel: 'news', name: 'e', data: 3, info: 'subscription_count' },
    ]),
  );
  assert.deepEqual(many, { batch: [{ user_count: 2 }, {}, { subscription_count: 3 }] });
});

test('api_015 a channel named twice gets the event once', async (t) => {
  const scene = await Scene.open(t);
  const channel = (await scene.client()).subscribe('news');
  const events = inboxOf(channel, 'hello');
  await subscribed(channel);
  await scene.sdk.trigger(['news', 'news'], 'hello', 1);
  await scene.sdk.trigger('news', 'hello', 2);
  assert.deepEqual([await events.next(), await events.next()], [1, 2]);
});

test('auth_010 a wrong secret is told what should have been signed', async (t) => {
  const scene = await Scene.open(t);
  const wrong = sdkFor(scene.server, { secret: 'not-the-secret' });
  for (const attempt of [() => wrong.trigger('news', 'hello', {}), () => wrong.get({ path: '/channels' })]) {
    const error = await refusal(attempt());
    assert.equal(error.status, 401);
    assert.ok(error.body.startsWith('Invalid signature: you should have sent HmacSHA256Hex('), error.body);
    assert.ok(!error.body.includes('7ad3773142a6692b25b8'), 'the secret is not given away');
  }
  const unknown = await refusal(sdkFor(scene.server, { key: 'nobody' }).trigger('news', 'hello', {}));
  assert.equal(unknown.status, 401);
  assert.match(unknown.body, /^Unknown auth_key/);
});

test('api_017 too much data is a 413 in hosted words, up to the limit it is not', async (t) => {
  const scene = await Scene.open(t);
  // Two bytes each: the limit counts bytes.
  assert.equal((await scene.sdk.trigger('news', 'hello', 'é'.repeat(5120))).status, 200);
  const words =
    'The data content of this event exceeds the allowed maximum (10240 bytes). ' +
    'See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info ' +
    '(this event: 10241 bytes, setting limits.event_bytes)';
  const single = await refusal(scene.sdk.trigger('news', 'hello', 'é'.repeat(5120) + 'x'));
  assert.deepEqual([single.status, single.body.trimEnd()], [413, words]);
  const batch = [
    { channel: 'news', name: 'small', data: 'x' },
    { channel: 'news', name: 'big', data: 'x'.repeat(10241) },
  ];
  const inBatch = await refusal(scene.sdk.triggerBatch(batch));
  assert.deepEqual([inBatch.status, inBatch.body.trimEnd()], [413, words]);
});

test('lim_010 the size of an event can be raised by environment', async (t) => {
  const scene = await Scene.open(t, { env: { FANFARE__LIMITS__EVENT_BYTES: '20480' } });
  assert.equal((await scene.sdk.trigger('news', 'hello', 'x'.repeat(20480))).status, 200);
  assert.equal((await refusal(scene.sdk.trigger('news', 'hello', 'x'.repeat(20481)))).status, 413);
});

test('api_020 a bad channel name is a 400, and nothing is published', async (t) => {
  const scene = await Scene.open(t);
  const channel = (await scene.client()).subscribe('news');
  const events = inboxOf(channel, 'hello');
  await subscribed(channel);
  for (const name of ['a b', 'ü', '#news', '', 'x'.repeat(165)]) {
    // This body bypasses the SDK's own check.
    const body = { name: 'hello', data: 'refused', channels: ['news', name] };
    const error = await refusal(scene.sdk.post({ path: '/events', body }));
    assert.equal(error.status, 400, name);
    assert.match(error.body, /Invalid channel name/);
  }
  await scene.sdk.trigger('news', 'hello', 'accepted');
  assert.equal(await events.next(), 'accepted');
});

test('api_016 api_021 lim_007 other faults of a request are a 400 that says which', async (t) => {
  const scene = await Scene.open(t);
  const cases = [
    [{ data: '', channel: 'news' }, /^Expected name parameter to be a string/],
    [{ name: 'e', data: '', channels: [] }, /channel/],
    [{ name: 'e', channel: 'news' }, /data/],
    [{ name: 'pusher:error', data: '', channel: 'news' }, /reserved/],
    [{ name: 'pusher_internal:member_added', data: '', channel: 'news' }, /reserved/],
    [{ name: 'x'.repeat(201), data: '', channel: 'news' }, /200/],
  ];
  for (const [body, words] of cases) {
    const error = await refusal(scene.sdk.post({ path: '/events', body }));
    assert.equal(error.status, 400, JSON.stringify(body));
    assert.match(error.body, words);
  }
});

test('api_022 the SDK passes a key on, and a retry publishes nothing', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const channel = pusher.subscribe('news');
  await subscribed(channel);
  const inbox = inboxOf(channel, 'e');
  const send = (key) => scene.sdk.trigger('news', 'e', { key }, { idempotency_key: key });
  const ids = [];
  for (const key of ['k', 'k', 'l']) ids.push((await send(key)).headers.get('fanfare-event-id'));
  assert.equal(ids[0], ids[1]);
  assert.notEqual(ids[1], ids[2]);
  assert.deepEqual([await inbox.next(), await inbox.next()], [{ key: 'k' }, { key: 'l' }]);
});
