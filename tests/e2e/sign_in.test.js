// Users who sign in: the reports of pusher-js, messages to a user, and apps that require signing in.
import assert from 'node:assert/strict';

import { appWith, ONE_APP } from './support/fanfare.js';
import { Scene, sdkFor, test } from './support/scene.js';
import { allDone, inboxOf, inState, signedIn, signIn, subscribed } from './support/waiting.js';

const ANN = { id: 'ann', user_info: { name: 'Ann ☃' } };
const BOB = { id: 'bob' };

/** Signs in by hand, with the message of pusher-js. */
function sendSignIn(sdk, pusher, user) {
  pusher.send_event('pusher:signin', sdk.authenticateUser(pusher.connection.socket_id, user));
}

/** The user in the next `pusher:signin_success`. */
async function nextSuccess(messages) {
  let message;
  do message = await messages.next();
  while (message.event !== 'pusher:signin_success');
  return JSON.parse(message.data.user_data);
}

test('ws_180 ws_183 ws_190 a user signs in, and the channel for messages to it is subscribed', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client({ signsInAs: { ...ANN, watchlist: ['bob'], more: [1] } });
  const errors = inboxOf(pusher.connection, 'error');
  await signIn(pusher);
  assert.deepEqual(pusher.user.user_data, { ...ANN, watchlist: ['bob'], more: [1] });
  assert.equal(pusher.user.serverToUserChannel.name, '#server-to-user-ann');
  assert.deepEqual(errors.all, []);
});

test('ws_180 signin before the connection is there, with a handler of the application', async (t) => {
  const scene = await Scene.open(t);
  const customHandler = ({ socketId }, callback) => callback(null, scene.sdk.authenticateUser(socketId, ANN));
  const pusher = scene.connecting({ userAuthentication: { customHandler } });
  pusher.signin();
  await inState(pusher, 'connected');
  await signedIn(pusher);
  assert.deepEqual(pusher.user.user_data, ANN);
});

test('ws_192 a message to a user reaches every tab of the user, and nobody else', async (t) => {
  const scene = await Scene.open(t);
  const users = [ANN, ANN, BOB];
  const clients = [];
  for (const user of users) clients.push(await scene.signedIn(user));
  const [tab1, tab2, bob] = clients.map((pusher) => inboxOf(pusher.user, 'hello'));
  const answer = await scene.sdk.sendToUser('ann', 'hello', { text: 'grüße' });
  assert.deepEqual([answer.status, await answer.json()], [200, {}]);
  await scene.sdk.sendToUser('bob', 'hello', 'to bob');
  await scene.sdk.sendToUser('nobody', 'hello', 'to nobody');
  assert.deepEqual([await tab1.next(), await tab2.next()], [{ text: 'grüße' }, { text: 'grüße' }]);
  assert.equal(await bob.next(), 'to bob');
  await Promise.all(clients.map((pusher) => allDone(pusher)));
  assert.deepEqual([tab1.all.length, tab2.all.length, bob.all.length], [1, 1, 1]);
});

test('ws_191 nobody else may subscribe to the channel of a user', async (t) => {
  const scene = await Scene.open(t);
  const [bob, stranger] = [await scene.signedIn(BOB), await scene.client()];
  for (const pusher of [bob, stranger]) {
    const errors = inboxOf(pusher.connection, 'error');
    // subscribe() itself refuses such names; this is the message it would send.
    pusher.send_event('pusher:subscribe', { auth: '', channel: '#server-to-user-ann' });
    const { code, message } = (await errors.next()).data;
    assert.deepEqual([code, message], [4009, 'Only the signed-in user may subscribe to #server-to-user-ann']);
    assert.equal(pusher.connection.state, 'connected');
  }
  const heard = inboxOf(bob.connection, 'message');
  await scene.sdk.sendToUser('ann', 'hello', {});
  await scene.sdk.sendToUser('bob', 'hello', {});
  assert.equal((await heard.next()).channel, '#server-to-user-bob');
});

test('ws_193 the channels of users are hidden from the list, and are not counted', async (t) => {
  const scene = await Scene.open(t, { config: appWith('subscription_counts = true') });
  const pusher = await scene.client({ signsInAs: ANN });
  const messages = inboxOf(pusher.connection, 'message');
  await signIn(pusher);
  await allDone(pusher);
  const events = messages.all.map((message) => message.event);
  assert.ok(!events.includes('pusher_internal:subscription_count'), events.join());
  assert.deepEqual(await (await scene.sdk.get({ path: '/channels' })).json(), { channels: {} });
});

test('ws_184 a wrong signature is an error with 4009, and the connection stays', async (t) => {
  const scene = await Scene.open(t);
  const forger = await scene.authorizationBy(sdkFor(scene.server, { secret: 'not-the-secret' }));
  const pusher = await scene.client({ userAuthentication: { endpoint: forger.userEndpoint(ANN) } });
  const errors = inboxOf(pusher.connection, 'error');
  pusher.signin();
  const { code, message } = (await errors.next()).data;
  assert.equal(code, 4009);
  const signed = `${pusher.connection.socket_id}::user::${JSON.stringify(ANN)}`;
  assert.ok(message.startsWith(`Invalid signature: Expected HMAC SHA256 hex digest of ${signed}, but got `), message);
  assert.equal(pusher.user.user_data, null);

  const news = pusher.subscribe('news');
  const events = inboxOf(news, 'hello');
  await subscribed(news);
  await scene.sdk.sendToUser('ann', 'hello', 'to ann');
  await scene.sdk.trigger('news', 'hello', 'to all');
  assert.equal(await events.next(), 'to all');
  assert.equal(pusher.connection.state, 'connected');
});

test('ws_181 ws_184 every other fault of a sign-in is told with 4009 too', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const errors = inboxOf(pusher.connection, 'error');
  const { auth, user_data } = scene.sdk.authenticateUser(pusher.connection.socket_id, ANN);
  const cases = [
    [{ user_data }, /^Missing parameter: data\./],
    [{ auth }, /^Missing parameter: data\.user/],
    [{ auth: 'nocolon', user_data }, /should be of format 'key:signature'$/],
    [{ auth: `other:${auth.split(':')[1]}`, user_data }, /^Invalid key in signin auth data: 'other'$/],
    [{ auth, user_data: user_data.replace('ann', 'bob') }, /^Invalid signature/],
    [scene.sdk.authenticateUser(pusher.connection.socket_id, { id: 'a b' }), /the id a b may hold only/],
    [scene.sdk.authenticateUser(pusher.connection.socket_id, { id: 'a', watchlist: [1] }), /watchlist should be/],
  ];
  for (const [data, words] of cases) {
    pusher.send_event('pusher:signin', data);
    const { code, message } = (await errors.next()).data;
    assert.equal(code, 4009, message);
    assert.match(message, words);
  }
  assert.equal(pusher.connection.state, 'connected');
});

test('ws_182 the same user may sign in again and say something new, another may not', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client({ signsInAs: ANN });
  const errors = inboxOf(pusher.connection, 'error');
  const messages = inboxOf(pusher.connection, 'message');
  await signIn(pusher);
  assert.deepEqual(await nextSuccess(messages), ANN);
  sendSignIn(scene.sdk, pusher, BOB);
  const { code, message } = (await errors.next()).data;
  assert.deepEqual([code, message], [4009, 'This connection is signed in as ann already']);
  // pusher-js answers each success by subscribing to the user's channel: a second time is an error.
  sendSignIn(scene.sdk, pusher, { id: 'ann', user_info: { name: 'Ann II' } });
  assert.deepEqual(await nextSuccess(messages), { id: 'ann', user_info: { name: 'Ann II' } });
  await subscribed(pusher.subscribe('presence-room'));
  assert.deepEqual(pusher.channel('presence-room').members.me, { id: 'ann', info: { name: 'Ann II' } });
});

test('ws_115 a signed-in user joins a presence channel without channel_data', async (t) => {
  const scene = await Scene.open(t);
  const ann = await scene.signedIn(ANN);
  const room = ann.subscribe('presence-room');
  const added = inboxOf(room, 'pusher:member_added');
  await subscribed(room);
  assert.deepEqual(room.members.me, { id: 'ann', info: ANN.user_info });
  assert.equal(room.members.count, 1);
  const bob = (await scene.signedIn(BOB)).subscribe('presence-room');
  await subscribed(bob);
  assert.deepEqual(await added.next(), { id: 'bob', info: {} });
  assert.deepEqual(bob.members.members, { ann: ANN.user_info, bob: {} });
  const seen = [];
  bob.members.each((member) => seen.push(member.id));
  assert.deepEqual([seen.sort(), bob.members.count, bob.members.me.id], [['ann', 'bob'], 2, 'bob']);
});

test('ws_115 what the back end signed for the channel wins over the signed-in user', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.signedIn(ANN, { user: { user_id: 'guest', user_info: { is: 'other' } } });
  const room = pusher.subscribe('presence-room');
  await subscribed(room);
  assert.deepEqual(room.members.me, { id: 'guest', info: { is: 'other' } });
});

test('ws_187 a presence subscription that waits for the sign-in succeeds after it', async (t) => {
  const scene = await Scene.open(t);
  let letIn;
  const asked = new Promise((resolve) => (letIn = resolve));
  const customHandler = async ({ socketId }, callback) => {
    await asked;
    callback(null, scene.sdk.authenticateUser(socketId, ANN));
  };
  const pusher = await scene.client({ userAuthentication: { customHandler } });
  pusher.signin();
  const room = pusher.subscribe('presence-room');
  const news = pusher.subscribe('news');
  await subscribed(news);
  assert.equal(room.subscribed, false);
  letIn();
  await subscribed(room);
  assert.deepEqual(room.members.me, { id: 'ann', info: ANN.user_info });
});

test('an endpoint that refuses is a sign-in error of the user, and the server hears nothing', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client({ userAuthentication: { endpoint: scene.authorization.refusing } });
  const errors = inboxOf(pusher.user, 'pusher:signin_error');
  pusher.signin();
  assert.equal((await errors.next()).status, 403);
  assert.equal(pusher.connection.state, 'connected');
});

test('ws_062 only who signs in or joins a private channel in time may stay', async (t) => {
  const config = ONE_APP.replace('[timeouts]', '[timeouts]\nauthorize = 1') + 'authorized_connections = true\n';
  const scene = await Scene.open(t, { config });
  const idle = await scene.client();
  const listener = await scene.client();
  // From the beginning: both may be closed at the same moment.
  const unauthorized = [idle, listener].map((pusher) => [pusher, inboxOf(pusher.connection, 'error')]);
  const member = await scene.client({ user: { user_id: 'bob' } });
  const user = await scene.client({ signsInAs: ANN });
  await signIn(user);
  await Promise.all([subscribed(listener.subscribe('news')), subscribed(member.subscribe('presence-room'))]);
  for (const [pusher, errors] of unauthorized) {
    await inState(pusher, 'disconnected');
    const { data } = errors.all[0];
    assert.deepEqual(data, { code: 4009, message: 'Connection not authorized within timeout (setting timeouts.authorize)' });
  }
  const greetings = inboxOf(user.user, 'hello');
  await scene.sdk.sendToUser('ann', 'hello', 1);
  assert.equal(await greetings.next(), 1);
  await allDone(member);
  assert.deepEqual([user.connection.state, member.connection.state], ['connected', 'connected']);
});
