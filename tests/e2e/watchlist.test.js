// Online and offline users of a watchlist, as pusher-js reports them.
import assert from 'node:assert/strict';

import { appWith } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { allDone, Inbox, inboxOf, signIn, subscribed, until } from './support/waiting.js';

const ON = { config: appWith('watchlist_events = true') };

/** Signs Ann in, who watches these users: her client and its watchlist events. */
async function watcher(scene, watchlist) {
  const pusher = await scene.client({ signsInAs: { id: 'ann', watchlist } });
  const heard = new Inbox('a watchlist event');
  for (const name of ['online', 'offline']) {
    pusher.user.watchlist.bind(name, (event) => heard.put([event.name, [...event.user_ids].sort()]));
  }
  const errors = inboxOf(pusher.connection, 'error');
  await signIn(pusher);
  return { pusher, heard, errors };
}

/** Resolves when the server has at most `left` connections. */
const haveGone = (scene, left) =>
  until(async () => (await scene.server.metric('fanfare_connections')) === left, `the last ${left} connections`);

test('ws_195 at first who is online and who is not, then every change', async (t) => {
  const scene = await Scene.open(t, ON);
  const bob = await scene.signedIn({ id: 'bob' });
  const { heard } = await watcher(scene, ['bob', 'cy', 'dan']);
  assert.deepEqual(await heard.next(), ['online', ['bob']]);
  assert.deepEqual(await heard.next(), ['offline', ['cy', 'dan']]);
  const cy = await scene.signedIn({ id: 'cy' });
  assert.deepEqual(await heard.next(), ['online', ['cy']]);
  bob.disconnect();
  assert.deepEqual(await heard.next(), ['offline', ['bob']]);
  cy.disconnect();
  assert.deepEqual(await heard.next(), ['offline', ['cy']]);
});

test('ws_195 lists that are empty are left out, and whoever is not watched is not told of', async (t) => {
  const scene = await Scene.open(t, ON);
  const bob = await scene.signedIn({ id: 'bob' });
  const stranger = await scene.signedIn({ id: 'stranger' });
  const { pusher, heard } = await watcher(scene, ['bob']);
  stranger.disconnect();
  await haveGone(scene, 2);
  bob.disconnect();
  assert.deepEqual(await heard.next(), ['online', ['bob']]);
  assert.deepEqual(await heard.next(), ['offline', ['bob']]);
  await allDone(pusher);
  assert.equal(heard.all.length, 2);
});

test('ws_197 ws_198 the first tab comes, the last one goes, and presence channels do not count', async (t) => {
  const scene = await Scene.open(t, ON);
  const { pusher, heard } = await watcher(scene, ['bob']);
  assert.deepEqual(await heard.next(), ['offline', ['bob']]);
  const member = await scene.client({ user: { user_id: 'bob' } });
  await subscribed(member.subscribe('presence-room'));
  const tabs = [await scene.signedIn({ id: 'bob' }), await scene.signedIn({ id: 'bob' })];
  assert.deepEqual(await heard.next(), ['online', ['bob']]);
  tabs[0].disconnect();
  member.disconnect();
  await haveGone(scene, 2);
  tabs[1].disconnect();
  assert.deepEqual(await heard.next(), ['offline', ['bob']]);
  await allDone(pusher);
  assert.equal(heard.all.length, 3);
});

test('ws_198 a user may watch itself', async (t) => {
  const scene = await Scene.open(t, ON);
  const { heard } = await watcher(scene, ['ann', 'bob']);
  assert.deepEqual(await heard.next(), ['online', ['ann']]);
  assert.deepEqual(await heard.next(), ['offline', ['bob']]);
});

test('ws_196 of too long a watchlist the first hundred are watched, and 4302 says so', async (t) => {
  const scene = await Scene.open(t, ON);
  const watchlist = Array.from({ length: 101 }, (_, i) => `user-${i}`);
  const { pusher, heard, errors } = await watcher(scene, watchlist);
  assert.equal(pusher.user.user_data.id, 'ann');
  const { code, message } = (await errors.next()).data;
  assert.equal(code, 4302);
  assert.match(message, /101 users, but only the first 100 .*limits\.watchlist/);
  assert.deepEqual(await heard.next(), ['offline', watchlist.slice(0, 100).sort()]);
  await scene.signedIn({ id: 'user-100' });
  await scene.signedIn({ id: 'user-99' });
  assert.deepEqual(await heard.next(), ['online', ['user-99']]);
  assert.equal(pusher.connection.state, 'connected');
});

test('ws_195 signing in anew takes the newer watchlist', async (t) => {
  const scene = await Scene.open(t, ON);
  const { pusher, heard } = await watcher(scene, ['bob']);
  assert.deepEqual(await heard.next(), ['offline', ['bob']]);
  const socketId = pusher.connection.socket_id;
  const anew = scene.sdk.authenticateUser(socketId, { id: 'ann', watchlist: ['cy'] });
  pusher.send_event('pusher:signin', anew);
  assert.deepEqual(await heard.next(), ['offline', ['cy']]);
  await scene.signedIn({ id: 'bob' });
  await scene.signedIn({ id: 'cy' });
  assert.deepEqual(await heard.next(), ['online', ['cy']]);
});

test('ws_195 without the setting nobody is told', async (t) => {
  const scene = await Scene.open(t);
  const { pusher, heard, errors } = await watcher(scene, Array.from({ length: 101 }, (_, i) => `user-${i}`));
  const watched = await scene.signedIn({ id: 'user-1' });
  watched.disconnect();
  await haveGone(scene, 1);
  await allDone(pusher);
  assert.deepEqual([heard.all, errors.all], [[], []]);
});
