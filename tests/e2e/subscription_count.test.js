// The number of a channel's subscribers, as pusher-js reports it.
import assert from 'node:assert/strict';

import { appWith } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { Inbox, inboxOf, subscribed } from './support/waiting.js';

const ON = { config: appWith('subscription_counts = true') };
const COUNT = 'pusher:subscription_count';
const count = (subscription_count) => ({ subscription_count });

async function subscriber(scene, name) {
  const pusher = await scene.client({ user: { user_id: 'ann' } });
  const channel = pusher.subscribe(name);
  const counts = inboxOf(channel, COUNT);
  const fences = inboxOf(channel, 'fence');
  await subscribed(channel);
  return { pusher, channel, counts, fences };
}

for (const name of ['news', 'private-orders', 'cache-news', 'private-encrypted-orders']) {
  test(`ws_175 ws_204 every subscriber of ${name} hears of each change, and itself is counted`, async (t) => {
    const scene = await Scene.open(t, ON);
    const ann = await subscriber(scene, name);
    assert.deepEqual(await ann.counts.next(), count(1));
    const bob = await subscriber(scene, name);
    for (const one of [ann, bob]) assert.deepEqual(await one.counts.next(), count(2));
    assert.equal(ann.channel.subscriptionCount, 2);
    const cy = await subscriber(scene, name);
    for (const one of [ann, bob, cy]) assert.deepEqual(await one.counts.next(), count(3));
    bob.pusher.unsubscribe(name);
    for (const one of [ann, cy]) assert.deepEqual(await one.counts.next(), count(2));
    cy.pusher.disconnect();
    assert.deepEqual(await ann.counts.next(), count(1));
    assert.equal(ann.channel.subscriptionCount, 1);
    // A count is no event of the application: pusher-js does not decrypt counts on an encrypted channel.
    await scene.sdk.trigger(name, 'fence', { after: 'counts' });
    assert.deepEqual(await ann.fences.next(), { after: 'counts' });
    assert.equal(ann.counts.all.length, 5);
  });
}

test('ws_175 presence channels are not counted', async (t) => {
  const scene = await Scene.open(t, ON);
  const room = [await subscriber(scene, 'presence-room'), await subscriber(scene, 'presence-room')];
  await scene.sdk.trigger('presence-room', 'fence', {});
  for (const one of room) {
    await one.fences.next();
    assert.deepEqual(one.counts.all, []);
  }
});

test('ws_175 without the setting nobody is told', async (t) => {
  const scene = await Scene.open(t);
  const news = [await subscriber(scene, 'news'), await subscriber(scene, 'news')];
  await scene.sdk.trigger('news', 'fence', {});
  for (const one of news) {
    await one.fences.next();
    assert.deepEqual([one.counts.all, one.channel.subscriptionCount ?? null], [[], null]);
  }
});

test('ws_124 the newcomer hears success, cached event, count, in this order', async (t) => {
  const scene = await Scene.open(t, ON);
  const order = async (name) => {
    const channel = (await scene.client()).subscribe(name);
    const heard = new Inbox(`an event on ${name}`);
    channel.bind_global((event) => heard.put(event));
    return [await heard.next(), await heard.next(), await heard.next()];
  };
  assert.deepEqual(await order('cache-news'), ['pusher:subscription_succeeded', 'pusher:cache_miss', COUNT]);
  await scene.sdk.trigger('cache-news', 'price', 1);
  assert.deepEqual(await order('cache-news'), ['pusher:subscription_succeeded', 'price', COUNT]);
});

test('ws_176 among more than a hundred a change is told later, and many changes at once', async (t) => {
  const scene = await Scene.open(t, ON);
  const ann = await subscriber(scene, 'news');
  for (let i = 2; i <= 100; i++) await subscriber(scene, 'news');
  for (let i = 1; i <= 100; i++) assert.deepEqual(await ann.counts.next(), count(i));
  const crowd = await Promise.all(Array.from({ length: 50 }, () => subscriber(scene, 'news')));
  const told = [];
  const toldUntil = async (last) => {
    do told.push((await ann.counts.next()).subscription_count);
    while (told.at(-1) !== last);
  };
  await toldUntil(150);
  assert.ok(told.length < 10, `each of these was told: ${told}`);
  // At a hundred subscribers or fewer, each change is sent at once.
  for (const { pusher } of crowd) pusher.disconnect();
  await toldUntil(100);
});
