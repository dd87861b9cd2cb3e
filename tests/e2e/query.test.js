// Querying channels and their members over HTTP, with the stock Node SDK.
import assert from 'node:assert/strict';

import { ONE_APP } from './support/fanfare.js';
import { Scene, sdkFor, test } from './support/scene.js';
import { subscribed } from './support/waiting.js';

async function populated(t) {
  const scene = await Scene.open(t);
  const channels = [];
  for (const user_id of ['ann', 'ann', 'bob']) {
    const pusher = await scene.client({ user: { user_id } });
    channels.push(pusher.subscribe('presence-room'));
  }
  const pusher = await scene.client({ user: { user_id: 'cy' } });
  channels.push(pusher.subscribe('news'), pusher.subscribe('presence-lobby'), pusher.subscribe('private-orders'));
  await Promise.all(channels.map((channel) => subscribed(channel)));
  scene.get = async (path, params) => (await scene.sdk.get({ path, params })).json();
  scene.refusal = (path, params) =>
    scene.sdk.get({ path, params }).then(() => assert.fail('was accepted'), (error) => error);
  return scene;
}

test('api_030 the list has occupied channels and what was asked for', async (t) => {
  const scene = await populated(t);
  assert.deepEqual(await scene.get('/channels'), {
    channels: { news: {}, 'presence-lobby': {}, 'presence-room': {}, 'private-orders': {} },
  });
  const params = { filter_by_prefix: 'presence-', info: 'user_count' };
  assert.deepEqual(await scene.get('/channels', params), {
    channels: { 'presence-lobby': { user_count: 1 }, 'presence-room': { user_count: 2 } },
  });
  assert.deepEqual(await scene.get('/channels', { filter_by_prefix: 'none' }), { channels: {} });
});

test('api_031 user_count without the presence prefix is a 400', async (t) => {
  const scene = await populated(t);
  assert.equal((await scene.refusal('/channels', { info: 'user_count' })).status, 400);
});

test('api_035 api_036 one channel: occupied, counts, and a 400 for what it cannot have', async (t) => {
  const scene = await populated(t);
  assert.deepEqual(await scene.get('/channels/news'), { occupied: true });
  assert.deepEqual(await scene.get('/channels/nobody'), { occupied: false });
  assert.deepEqual(await scene.get('/channels/news', { info: 'subscription_count' }), {
    occupied: true,
    subscription_count: 1,
  });
  const room = await scene.get('/channels/presence-room', { info: 'user_count,subscription_count' });
  assert.deepEqual(room, { occupied: true, user_count: 2, subscription_count: 3 });
  assert.equal((await scene.refusal('/channels/news', { info: 'user_count' })).status, 400);
});

test('api_040 api_041 the users of a presence channel, each once, and of nothing else', async (t) => {
  const scene = await populated(t);
  const { users } = await scene.get('/channels/presence-room/users');
  const byId = (a, b) => a.id.localeCompare(b.id);
  assert.deepEqual(users.sort(byId), [{ id: 'ann' }, { id: 'bob' }]);
  assert.deepEqual(await scene.get('/channels/presence-empty/users'), { users: [] });
  assert.equal((await scene.refusal('/channels/news/users')).status, 400);
});

test('another app of the same server sees none of it', async (t) => {
  const other = { id: '4', key: 'other-key', secret: 'other-secret' };
  const entry = `\n[[apps.list]]\nid = "${other.id}"\nkey = "${other.key}"\nsecret = "${other.secret}"\n`;
  const scene = await Scene.open(t, { config: ONE_APP + entry });
  await subscribed((await scene.client()).subscribe('news'));
  const { id: appId, key, secret } = other;
  const theirs = sdkFor(scene.server, { appId, key, secret });
  assert.deepEqual(await (await theirs.get({ path: '/channels' })).json(), { channels: {} });
  const mixed = sdkFor(scene.server, { appId });
  const error = await mixed.get({ path: '/channels' }).then(() => assert.fail('was accepted'), (e) => e);
  assert.equal(error.status, 401);
});

test('both listeners say that they are up, and only one tells metrics', async (t) => {
  const { server } = await Scene.open(t);
  for (const url of [server.url, server.adminUrl]) {
    const answer = await fetch(new URL('/up', url));
    assert.deepEqual([answer.status, await answer.json()], [200, { health: 'OK' }]);
  }
  assert.equal((await fetch(new URL('/ready', server.adminUrl))).status, 200);
  assert.equal((await fetch(new URL('/metrics', server.url))).status, 404);
});

test('api_042 api_043 who is online, by the generic get and post', async (t) => {
  const scene = await Scene.open(t);
  await Promise.all([scene.signedIn({ id: 'ann' }), scene.signedIn({ id: 'ann' })]);
  const answers = [
    await scene.sdk.get({ path: '/users', params: { ids: 'ann,bob' } }),
    await scene.sdk.post({ path: '/users', body: { ids: ['ann', 'bob'] } }),
  ];
  for (const answer of answers) {
    const { users } = await answer.json();
    const { since, ...ann } = users.ann;
    assert.deepEqual(ann, { online: true, connections: 2 });
    assert.ok(Math.abs(Date.now() - Date.parse(since)) < 60_000, since);
    assert.deepEqual(users.bob, { online: false, connections: 0, since: null });
  }
  const none = await scene.sdk.get({ path: '/users' }).then(() => assert.fail('was accepted'), (error) => error);
  assert.equal(none.status, 400);
});
