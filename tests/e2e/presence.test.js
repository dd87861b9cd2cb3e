// Members of a presence channel, as pusher-js reports them.
import assert from 'node:assert/strict';

import { ONE_APP } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { allDone, inboxOf, subscribed } from './support/waiting.js';

const ANN = { user_id: 'ann', user_info: { name: 'Ann' } };
const BOB = { user_id: 'bob', user_info: { name: 'Bob' } };

async function member(scene, user) {
  const pusher = await scene.client({ user });
  const room = pusher.subscribe('presence-room');
  const fence = inboxOf(room, 'fence');
  const [added, removed] = ['added', 'removed'].map((what) => inboxOf(room, `pusher:member_${what}`));
  await subscribed(room);
  return { pusher, room, fence, added, removed };
}

/** Events of one channel keep their order: when this event has arrived, all earlier ones have. */
async function fence(scene, ...members) {
  await scene.sdk.trigger('presence-room', 'fence', {});
  for (const one of members) await one.fence.next();
}

test('ws_121 a newcomer sees everybody, itself included, and who it is', async (t) => {
  const scene = await Scene.open(t);
  const ann = await member(scene, ANN);
  assert.equal(ann.room.members.count, 1);
  const bob = await member(scene, BOB);
  assert.equal(bob.room.members.count, 2);
  assert.deepEqual(bob.room.members.me, { id: 'bob', info: { name: 'Bob' } });
  assert.deepEqual(bob.room.members.get('ann'), { id: 'ann', info: { name: 'Ann' } });
  assert.equal(bob.room.members.get('nobody'), null);
  const seen = [];
  bob.room.members.each((one) => seen.push(one));
  assert.deepEqual(seen.sort((a, b) => a.id.localeCompare(b.id)), [
    { id: 'ann', info: { name: 'Ann' } },
    { id: 'bob', info: { name: 'Bob' } },
  ]);
});

test('ws_150 ws_151 two tabs are one member: it comes with the first and goes with the last', async (t) => {
  const scene = await Scene.open(t);
  const ann = await member(scene, ANN);
  const tab1 = await member(scene, BOB);
  const tab2 = await member(scene, BOB);
  assert.equal(tab2.room.members.count, 2);
  await fence(scene, ann, tab1, tab2);
  assert.deepEqual(ann.added.all, [{ id: 'bob', info: { name: 'Bob' } }]);
  assert.deepEqual(tab1.added.all, []);
  assert.equal(ann.room.members.count, 2);

  tab1.pusher.unsubscribe('presence-room');
  const others = inboxOf(tab1.pusher.connection, 'message');
  tab1.pusher.send_event('pusher:ping', {});
  while ((await others.next()).event !== 'pusher:pong');
  await fence(scene, ann, tab2);
  assert.deepEqual(ann.removed.all, []);

  tab2.pusher.disconnect();
  assert.deepEqual(await ann.removed.next(), { id: 'bob', info: { name: 'Bob' } });
  await fence(scene, ann);
  assert.equal(ann.removed.all.length, 1);
  assert.equal(ann.room.members.count, 1);
});

test('ws_116 a numeric user id is a string everywhere', async (t) => {
  const scene = await Scene.open(t);
  const ann = await member(scene, ANN);
  const ten = await member(scene, { user_id: 10, user_info: { name: 'Mr. Channels' } });
  assert.deepEqual(await ann.added.next(), { id: '10', info: { name: 'Mr. Channels' } });
  assert.deepEqual(Object.keys(ten.room.members.members).sort(), ['10', 'ann']);
  const users = await (await scene.sdk.get({ path: '/channels/presence-room/users' })).json();
  assert.deepEqual(users.users.map((user) => user.id).sort(), ['10', 'ann']);
  const messages = inboxOf(ann.pusher.connection, 'message');
  ten.pusher.disconnect();
  const gone = await messages.next();
  assert.deepEqual([gone.event, gone.data], ['pusher_internal:member_removed', { user_id: '10' }]);
});

test('ws_122 a member without user_info is there nonetheless', async (t) => {
  const scene = await Scene.open(t);
  const ann = await member(scene, { user_id: 'ann' });
  assert.deepEqual(ann.room.members.members, { ann: {} });
});

test('ws_136 a full channel says so, and a second tab still gets in', async (t) => {
  const scene = await Scene.open(t, { config: `${ONE_APP}\n[apps.list.limits]\nmembers = 1\n` });
  await member(scene, ANN);
  const bob = await scene.client({ user: BOB });
  const errors = inboxOf(bob.connection, 'error');
  bob.subscribe('presence-room');
  const { code, message } = (await errors.next()).data;
  assert.equal(code, null);
  assert.match(message, /presence-room has its maximum of 1 users/);
  const tab2 = await member(scene, ANN);
  assert.equal(tab2.room.members.count, 1);
});

test('ws_123 ws_153 newer info of a member is for those who come later, and for all when it returns', async (t) => {
  const scene = await Scene.open(t);
  const ann = await member(scene, ANN);
  const newer = { user_id: 'bob', user_info: { name: 'Robert' } };
  const tabs = [await member(scene, BOB), await member(scene, newer)];
  const cy = await member(scene, { user_id: 'cy', user_info: {} });
  await fence(scene, ann, cy);
  assert.deepEqual(ann.room.members.get('bob').info, { name: 'Bob' });
  assert.deepEqual(cy.room.members.get('bob').info, { name: 'Robert' });
  for (const tab of tabs) tab.pusher.disconnect();
  assert.equal((await ann.removed.next()).id, 'bob');
  await member(scene, newer);
  await fence(scene, ann);
  assert.deepEqual(ann.added.all.map((one) => [one.id, one.info.name]), [
    ['bob', 'Bob'],
    ['cy', undefined],
    ['bob', 'Robert'],
  ]);
  assert.equal(ann.room.members.count, 3);
});

test('ws_153 ws_154 after much coming and going everybody knows the same members', async (t) => {
  const scene = await Scene.open(t);
  const ann = await member(scene, ANN);
  const tabs = [];
  for (const user_id of ['bob', 'bob', 'cy', 'dan']) tabs.push(await scene.client({ user: { user_id } }));
  const comeAndGo = async (pusher) => {
    for (let i = 0; i < 20; i++) {
      await subscribed(pusher.subscribe('presence-room'));
      pusher.unsubscribe('presence-room');
    }
  };
  await Promise.all(tabs.map(comeAndGo));
  const rooms = tabs.map((pusher) => pusher.subscribe('presence-room'));
  const [bob, , cy] = rooms;
  await Promise.all(rooms.map((room) => subscribed(room)));
  tabs[3].unsubscribe('presence-room');
  await Promise.all(tabs.map((pusher) => allDone(pusher)));
  await fence(scene, ann);
  const { users } = await (await scene.sdk.get({ path: '/channels/presence-room/users' })).json();
  const present = users.map((user) => user.id).sort();
  assert.deepEqual(present, ['ann', 'bob', 'cy']);
  for (const room of [ann.room, bob, cy]) {
    assert.deepEqual(Object.keys(room.members.members).sort(), present);
    assert.equal(room.members.count, 3);
  }
});
