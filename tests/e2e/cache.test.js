// Cache channels: later subscribers get the last event.
import assert from 'node:assert/strict';

import { appWith, ONE_APP } from './support/fanfare.js';
import { ENCRYPTION_KEY, Scene, sdkFor, test } from './support/scene.js';
import { allDone, Inbox, inboxOf, subscribed, until } from './support/waiting.js';

const ANN = { user_id: 'ann', user_info: { name: 'Ann' } };
const KINDS = ['cache-news', 'private-cache-news', 'private-encrypted-cache-news', 'presence-cache-news'];

/** A new client that subscribes to `name`, and all events of its channel, in order. */
async function listener(scene, name) {
  const pusher = await scene.client({ user: ANN });
  const channel = pusher.subscribe(name);
  const heard = new Inbox(`an event on ${name}`);
  channel.bind_global((event, data) => heard.put([event, data]));
  await subscribed(channel);
  assert.equal((await heard.next())[0], 'pusher:subscription_succeeded');
  return { pusher, channel, heard };
}

const cached = async (scene, name) =>
  (await (await scene.sdk.get({ path: `/channels/${name}`, params: { info: 'cache' } })).json()).cache;

for (const name of KINDS) {
  test(`ws_171 ws_172 ${name}: a miss at first, later the last event right after the success`, async (t) => {
    const scene = await Scene.open(t);
    const first = await listener(scene, name);
    assert.deepEqual(await first.heard.next(), ['pusher:cache_miss', {}]);
    await scene.sdk.trigger(name, 'price', { euro: 1 });
    await scene.sdk.trigger(name, 'price', { euro: 2 });
    assert.deepEqual(await first.heard.next(), ['price', { euro: 1 }]);
    assert.deepEqual(await first.heard.next(), ['price', { euro: 2 }]);
    const second = await listener(scene, name);
    assert.deepEqual(await second.heard.next(), ['price', { euro: 2 }]);
    await scene.sdk.trigger(name, 'fence', {});
    // Only the new subscriber got the event again, once, and without a cache miss.
    assert.deepEqual(await second.heard.next(), ['fence', {}]);
    assert.deepEqual(await first.heard.next(), ['fence', {}]);
  });

  test(`ws_170 api_019 ${name}: the event of an empty channel is kept`, async (t) => {
    const scene = await Scene.open(t);
    await scene.sdk.trigger(name, 'price', { euro: 1 });
    const first = await listener(scene, name);
    assert.deepEqual(await first.heard.next(), ['price', { euro: 1 }]);
    first.pusher.unsubscribe(name);
    await allDone(first.pusher);
    assert.deepEqual(await (await scene.sdk.get({ path: '/channels' })).json(), { channels: {} });
    const again = first.pusher.subscribe(name);
    const events = inboxOf(again, 'price');
    assert.deepEqual(await events.next(), { euro: 1 });
  });
}

test('ws_170 an event expires after cache_seconds', async (t) => {
  const scene = await Scene.open(t, { config: appWith('[apps.list.limits]', 'cache_seconds = 1') });
  await scene.sdk.trigger('cache-news', 'price', 1);
  await until(async () => (await cached(scene, 'cache-news')) === null, 'the end of the cached event');
  const late = await listener(scene, 'cache-news');
  assert.deepEqual(await late.heard.next(), ['pusher:cache_miss', {}]);
});

test('ws_173 events for several channels, in batches and without the sender are kept as well', async (t) => {
  const scene = await Scene.open(t);
  const sender = await listener(scene, 'cache-c');
  assert.deepEqual(await sender.heard.next(), ['pusher:cache_miss', {}]);
  await scene.sdk.trigger(['cache-a', 'news', 'private-cache-a'], 'many', 1);
  await scene.sdk.triggerBatch([
    { channel: 'cache-b', name: 'batch', data: 1 },
    { channel: 'cache-b', name: 'batch', data: 2 },
  ]);
  await scene.sdk.trigger('cache-c', 'others', 3, { socket_id: sender.pusher.connection.socket_id });
  const expected = {
    'cache-a': ['many', 1],
    'private-cache-a': ['many', 1],
    'cache-b': ['batch', 2],
    'cache-c': ['others', 3],
  };
  for (const [name, event] of Object.entries(expected)) {
    assert.deepEqual(await (await listener(scene, name)).heard.next(), event);
  }
  assert.equal(sender.heard.all.length, 2);
});

test('ws_167 client events are not kept', async (t) => {
  const scene = await Scene.open(t, { config: appWith('client_events = true') });
  const ann = await listener(scene, 'private-cache-chat');
  await scene.sdk.trigger('private-cache-chat', 'published', 1);
  ann.channel.trigger('client-typing', 2);
  await allDone(ann.pusher);
  const late = await listener(scene, 'private-cache-chat');
  assert.deepEqual(await late.heard.next(), ['published', 1]);
});

test('ws_170 an ordinary channel keeps nothing, nor does one that only has cache- in its name', async (t) => {
  const scene = await Scene.open(t);
  for (const name of ['news', 'news-cache-a', 'cachenews', 'presence-x-cache-']) {
    await scene.sdk.trigger(name, 'price', 1);
    const { heard } = await listener(scene, name);
    await scene.sdk.trigger(name, 'fence', {});
    assert.deepEqual(await heard.next(), ['fence', {}]);
  }
});

test('api_036 api_037 the cached data and its remaining seconds can be asked for', async (t) => {
  const scene = await Scene.open(t, { config: `[limits]\ncache_seconds = 60\n${ONE_APP}` });
  assert.equal(await cached(scene, 'cache-news'), null);
  await scene.sdk.trigger('cache-news', 'price', { euro: 'ü' });
  const { data, ttl } = await cached(scene, 'cache-news');
  assert.equal(data, '{"euro":"ü"}');
  assert.ok(Number.isInteger(ttl) && ttl > 0 && ttl <= 60, String(ttl));
  const error = await cached(scene, 'news').then(() => assert.fail('was accepted'), (refusal) => refusal);
  assert.equal(error.status, 400);
});

test('ws_203 a key that has changed is asked for anew, and the cached event is read with it', async (t) => {
  const scene = await Scene.open(t);
  const name = 'private-encrypted-cache-news';
  const newKey = Buffer.alloc(32, 7).toString('base64');
  let signer = scene.sdk;
  const asked = [];
  const customHandler = ({ socketId, channelName }, callback) => {
    asked.push(signer === scene.sdk ? ENCRYPTION_KEY : newKey);
    callback(null, signer.authorizeChannel(socketId, channelName));
  };
  const pusher = await scene.client({ channelAuthorization: { customHandler } });
  const channel = pusher.subscribe(name);
  const [misses, events] = [inboxOf(channel, 'pusher:cache_miss'), inboxOf(channel, 'price')];
  // No ciphertext, and nothing to decrypt: pusher-js does not decrypt events that begin with pusher:.
  assert.deepEqual(await misses.next(), {});
  assert.deepEqual(asked, [ENCRYPTION_KEY]);
  signer = sdkFor(scene.server, { encryptionMasterKeyBase64: newKey });
  await signer.trigger(name, 'price', { euro: 1 });
  assert.deepEqual(await events.next(), { euro: 1 });
  assert.deepEqual(asked, [ENCRYPTION_KEY, newKey]);
});
