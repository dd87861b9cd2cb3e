// Ending all connections of a user, with the stock Node SDK.
import assert from 'node:assert/strict';

import { Scene, sdkFor, test } from './support/scene.js';
import { allDone, inboxOf, inState, signedIn, subscribed } from './support/waiting.js';

const BY_THE_APP = { code: 4009, message: 'You got disconnected by the app.' };

test('api_060 api_062 every tab of the user is closed with 4009, and others stay', async (t) => {
  const scene = await Scene.open(t);
  const tabs = [await scene.signedIn({ id: 'ann' }), await scene.signedIn({ id: 'ann' })];
  const bob = await scene.signedIn({ id: 'bob' });
  // A member of that name is not signed in.
  const member = await scene.client({ user: { user_id: 'ann' } });
  await subscribed(member.subscribe('presence-room'));
  const errors = tabs.map((pusher) => inboxOf(pusher.connection, 'error'));
  const states = tabs.map((pusher) => inboxOf(pusher.connection, 'state_change'));
  const answer = await scene.sdk.terminateUserConnections('ann');
  assert.deepEqual([answer.status, await answer.json()], [200, {}]);
  for (const inbox of errors) assert.deepEqual((await inbox.next()).data, BY_THE_APP);
  await Promise.all(tabs.map((pusher) => inState(pusher, 'disconnected')));
  await Promise.all([bob, member].map((pusher) => allDone(pusher)));
  assert.deepEqual([bob.connection.state, member.connection.state], ['connected', 'connected']);
  const closes = { code: '4009', reason: 'terminated' };
  assert.equal(await scene.server.metric('fanfare_closes_total', closes), 2);
  const went = [{ previous: 'connected', current: 'disconnected' }];
  assert.deepEqual([states[0].all, states[1].all], [went, went]);
});

test('ws_052 api_062 pusher-js stays away until connect(), and then signs in by itself', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.signedIn({ id: 'ann' });
  const news = pusher.subscribe('news');
  await subscribed(news);
  const subscribedAgain = inboxOf(news, 'pusher:subscription_succeeded');
  const greetings = inboxOf(pusher.user, 'hello');
  const retries = ['connecting', 'connecting_in'].map((event) => inboxOf(pusher.connection, event));
  await scene.sdk.terminateUserConnections('ann');
  await inState(pusher, 'disconnected');
  // pusher-js announces a retry together with the close, if at all.
  assert.deepEqual(retries.map((inbox) => inbox.all), [[], []]);
  pusher.connect();
  await inState(pusher, 'connected');
  await subscribedAgain.next();
  await signedIn(pusher);
  await scene.sdk.sendToUser('ann', 'hello', 1);
  assert.equal(await greetings.next(), 1);
});

test('api_060 a user who is not there is a success as well', async (t) => {
  const scene = await Scene.open(t);
  assert.deepEqual(await (await scene.sdk.terminateUserConnections('nobody')).json(), {});
});

test('api_064 auth_007 an id of every legal character, plain and percent-encoded in the path', async (t) => {
  const scene = await Scene.open(t);
  const id = 'A-z_0=9@,.;';
  for (const path of [id, encodeURIComponent(id)]) {
    const pusher = await scene.signedIn({ id });
    const errors = inboxOf(pusher.connection, 'error');
    const answer = await scene.sdk.post({ path: `/users/${path}/terminate_connections`, body: {} });
    assert.deepEqual(await answer.json(), {});
    assert.deepEqual((await errors.next()).data, BY_THE_APP);
  }
});

test('a request with a wrong signature ends nothing', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.signedIn({ id: 'ann' });
  const wrong = sdkFor(scene.server, { secret: 'not-the-secret' });
  const error = await wrong.terminateUserConnections('ann').then(() => assert.fail('was accepted'), (e) => e);
  assert.equal(error.status, 401);
  await allDone(pusher);
  assert.equal(pusher.connection.state, 'connected');
});
