// Client events: recipients, content, and refusals.
import assert from 'node:assert/strict';

import { appWith } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { allDone, Inbox, inboxOf, subscribed } from './support/waiting.js';

const ON = { config: appWith('client_events = true') };

/** A subscriber of `name`, and its events: [event, data, metadata], up to the last. */
async function listener(scene, name, user) {
  const pusher = await scene.client({ user });
  const channel = pusher.subscribe(name);
  const heard = new Inbox(`an event on ${name}`);
  for (const event of ['client-typing', 'fence']) {
    channel.bind(event, (data, metadata) => heard.put([event, data, metadata]));
  }
  await subscribed(channel);
  return { pusher, channel, heard, errors: inboxOf(pusher.connection, 'error') };
}

/** The events of each listener so far, without the event that marks the moment. */
async function heardBy(scene, name, ...listeners) {
  await scene.sdk.trigger(name, 'fence', {});
  const all = [];
  for (const { heard } of listeners) {
    const events = [];
    for (let item = await heard.next(); item[0] !== 'fence'; item = await heard.next()) events.push(item);
    all.push(events);
  }
  return all;
}

for (const name of ['private-chat', 'private-cache-chat']) {
  test(`ws_160 ws_164 on ${name} the others get what was sent, and the sender does not`, async (t) => {
    const scene = await Scene.open(t, ON);
    const all = [await listener(scene, name), await listener(scene, name), await listener(scene, name)];
    const sent = [{ a: 1, nested: { b: [null, 2.5] } }, 'plain grüße ☃', '', null, 7, false, [1, '2']];
    for (const data of sent) assert.equal(all[0].channel.trigger('client-typing', data), true);
    await allDone(all[0].pusher);
    const [atAnn, atBob, atCy] = await heardBy(scene, name, ...all);
    const expected = sent.map((data) => ['client-typing', data, {}]);
    assert.deepEqual([atAnn, atBob, atCy], [[], expected, expected]);
    assert.deepEqual(all[0].errors.all, []);
  });
}

for (const name of ['presence-room', 'presence-cache-room']) {
  test(`ws_165 on ${name} the metadata names the member that sent it, whatever its frame says`, async (t) => {
    const scene = await Scene.open(t, ON);
    const ann = await listener(scene, name, { user_id: 'ann', user_info: { name: 'Ann' } });
    const bob = await listener(scene, name, { user_id: 7 });
    ann.channel.trigger('client-typing', { from: 'ann' });
    const forged = { event: 'client-typing', data: {}, channel: name, user_id: 'bob' };
    ann.pusher.connection.send(JSON.stringify(forged));
    await allDone(ann.pusher);
    bob.channel.trigger('client-typing', { from: 'bob' });
    await allDone(bob.pusher);
    const [atAnn, atBob] = await heardBy(scene, name, ann, bob);
    assert.deepEqual(atAnn, [['client-typing', { from: 'bob' }, { user_id: '7' }]]);
    assert.deepEqual(atBob, [
      ['client-typing', { from: 'ann' }, { user_id: 'ann' }],
      ['client-typing', {}, { user_id: 'ann' }],
    ]);
  });
}

test('ws_164 another tab of the same user is one of the others', async (t) => {
  const scene = await Scene.open(t, ON);
  const tabs = [await listener(scene, 'presence-room', { user_id: 'ann' })];
  tabs.push(await listener(scene, 'presence-room', { user_id: 'ann' }));
  tabs[0].channel.trigger('client-typing', 'x');
  await allDone(tabs[0].pusher);
  const heard = await heardBy(scene, 'presence-room', ...tabs);
  assert.deepEqual(heard, [[], [['client-typing', 'x', { user_id: 'ann' }]]]);
});

test('ws_161 without the setting a client event is an error of the connection, which stays', async (t) => {
  const scene = await Scene.open(t);
  const [ann, bob] = [await listener(scene, 'private-chat'), await listener(scene, 'private-chat')];
  ann.channel.trigger('client-typing', { a: 1 });
  const { code, message } = (await ann.errors.next()).data;
  assert.equal(code, null);
  const words = 'To send client events, you must enable this feature in the Settings page of your dashboard.';
  assert.ok(message.startsWith(words), message);
  assert.match(message, /client_events = true/);
  assert.deepEqual(await heardBy(scene, 'private-chat', ann, bob), [[], []]);
  assert.equal(ann.pusher.connection.state, 'connected');
});

test('ws_161 ws_169 what may not be sent is refused in hosted words, and nobody gets it', async (t) => {
  const scene = await Scene.open(t, ON);
  const ann = await listener(scene, 'private-chat');
  const names = ['news', 'cache-news', 'private-chat'];
  const others = [];
  for (const name of names) others.push(await listener(scene, name));
  await Promise.all(['news', 'cache-news'].map((name) => subscribed(ann.pusher.subscribe(name))));
  const outside = (name) => `Cannot broadcast client event (connection not subscribed to channel ${name})`;
  const unguarded = (name) => `Cannot broadcast client event (channel ${name} is neither private nor presence)`;
  const unsupported = (event) => `Unsupported event received on socket: ${event}`;
  const incomplete = 'Invalid client event (must contain channel and data)';
  const cases = [
    ['client-typing', {}, 'private-elsewhere', outside('private-elsewhere')],
    ['client-typing', {}, 'news', unguarded('news')],
    ['client-typing', {}, 'cache-news', unguarded('cache-news')],
    ['client-typing', undefined, 'private-chat', incomplete],
    ['client-typing', {}, undefined, incomplete],
    ['typing', {}, 'private-chat', unsupported('typing')],
    ['pusher_internal:member_added', {}, 'private-chat', unsupported('pusher_internal:member_added')],
  ];
  for (const [event, data, channel, message] of cases) {
    ann.pusher.send_event(event, data, channel);
    assert.deepEqual((await ann.errors.next()).data, { code: null, message });
  }
  for (const [i, name] of names.entries()) assert.deepEqual(await heardBy(scene, name, others[i]), [[]]);
  assert.equal(ann.pusher.connection.state, 'connected');
});

test('ws_161 an event sent before the subscription has succeeded is refused', async (t) => {
  const scene = await Scene.open(t, ON);
  const pusher = await scene.client();
  const errors = inboxOf(pusher.connection, 'error');
  const channel = pusher.subscribe('private-chat');
  channel.trigger('client-typing', {});
  assert.match((await errors.next()).data.message, /connection not subscribed to channel private-chat/);
  await subscribed(channel);
});

test('ws_163 too many at once are dropped with 4301, and the connection stays', async (t) => {
  const scene = await Scene.open(t, ON);
  const [ann, bob] = [await listener(scene, 'private-chat'), await listener(scene, 'private-chat')];
  const sent = Array.from({ length: 300 }, (_, i) => i);
  for (const i of sent) ann.channel.trigger('client-typing', i);
  await allDone(ann.pusher);
  const [events] = await heardBy(scene, 'private-chat', bob);
  const arrived = events.map(([, data]) => data);
  assert.deepEqual(arrived.slice(0, 10), sent.slice(0, 10));
  assert.equal(arrived.length + ann.errors.all.length, 300);
  assert.ok(ann.errors.all.length > 0);
  for (const { data } of ann.errors.all) {
    assert.equal(data.code, 4301);
    assert.match(data.message, /more than 10 client events a second.*limits\.client_events_per_second/);
  }
  assert.equal(ann.pusher.connection.state, 'connected');
});

test('ws_163 the rate is a setting of the app', async (t) => {
  const config = appWith('client_events = true', '[apps.list.limits]', 'client_events_per_second = 1000');
  const scene = await Scene.open(t, { config });
  const [ann, bob] = [await listener(scene, 'private-chat'), await listener(scene, 'private-chat')];
  for (let i = 0; i < 1000; i++) ann.channel.trigger('client-typing', i);
  await allDone(ann.pusher);
  const [events] = await heardBy(scene, 'private-chat', bob);
  assert.equal(events.length, 1000);
  assert.deepEqual(ann.errors.all, []);
});

test('lim_012 too much data is refused with what came and what is allowed', async (t) => {
  const scene = await Scene.open(t, ON);
  const [ann, bob] = [await listener(scene, 'private-chat'), await listener(scene, 'private-chat')];
  ann.channel.trigger('client-typing', 'é'.repeat(5120));
  ann.channel.trigger('client-typing', 'é'.repeat(5120) + 'x');
  const { code, message } = (await ann.errors.next()).data;
  assert.equal(code, null);
  assert.match(message, /10241 bytes.*10240 bytes, setting limits\.client_event_bytes/);
  const [events] = await heardBy(scene, 'private-chat', bob);
  assert.deepEqual(events, [['client-typing', 'é'.repeat(5120), {}]]);
});

test('ws_166 on an encrypted channel pusher-js refuses, and what others send is passed on as it is', async (t) => {
  const scene = await Scene.open(t, ON);
  const name = 'private-encrypted-chat';
  const [ann, bob] = [await listener(scene, name), await listener(scene, name)];
  assert.throws(() => ann.channel.trigger('client-typing', {}), /not currently supported for encrypted channels/);
  const messages = inboxOf(ann.pusher.connection, 'message');
  await scene.sdk.trigger(name, 'secret', { text: 'hidden' });
  const { data } = await messages.next();
  ann.pusher.send_event('client-typing', data, name);
  assert.deepEqual(await bob.heard.next(), ['client-typing', { text: 'hidden' }, undefined]);
});
