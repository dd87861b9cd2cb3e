// Other features of Laravel Echo: whispers, errors, signing in.
import assert from 'node:assert/strict';

import { inbox, subscription } from './support/echo.js';
import { appWith } from './support/fanfare.js';
import { Scene, sdkFor, test } from './support/scene.js';
import { allDone, Inbox, signedIn } from './support/waiting.js';

const WHISPERS = { config: appWith('client_events = true') };
const user = (user_id, name) => ({ user_id, user_info: { id: user_id, name } });

for (const broadcaster of ['pusher', 'reverb']) {
  for (const [method, metadata] of Object.entries({ private: {}, join: { user_id: '1' } })) {
    test(`ws_164 ws_165 ${broadcaster}: a whisper on ${method} is heard by the others`, async (t) => {
      const scene = await Scene.open(t, WHISPERS);
      const ann = await scene.echo({ broadcaster, user: user('1', 'Ann') });
      const bob = await scene.echo({ broadcaster, user: user('2', 'Bob') });
      const [atAnn, atBob] = [ann[method]('chat'), bob[method]('chat')];
      const heard = [atAnn, atBob].map((channel) =>
        inbox('typing', (put) => channel.listenForWhisper('typing', put), { all: true }),
      );
      await Promise.all([subscription(atAnn), subscription(atBob)]);
      atAnn.whisper('typing', { name: 'Ann', at: 3 });
      assert.deepEqual(await heard[1].next(), [{ name: 'Ann', at: 3 }, metadata]);
      await allDone(ann.connector.pusher);
      assert.deepEqual(heard[0].all, []);
      atBob.stopListeningForWhisper('typing');
      atAnn.whisper('typing', {});
      await allDone(ann.connector.pusher);
      await allDone(bob.connector.pusher);
      assert.equal(heard[1].all.length, 1);
    });
  }

  test(`ws_133 ${broadcaster}: error hears that the server has refused a subscription`, async (t) => {
    const scene = await Scene.open(t, { config: appWith('subscription_error_event = true') });
    const other = await scene.authorizationBy(sdkFor(scene.server, { secret: 'not-the-secret' }));
    const channelAuthorization = { endpoint: other.endpoint(user('1', 'Ann')) };
    const echo = await scene.echo({ broadcaster, channelAuthorization });
    for (const method of ['private', 'join', 'encryptedPrivate']) {
      const errors = inbox(`the error of ${method}`, (put) => echo[method]('orders').error(put));
      const { type, status, error } = await errors.next();
      assert.deepEqual([type, status], ['AuthError', 401]);
      assert.match(error, /^Invalid signature/);
    }
  });

  test(`ws_180 ${broadcaster}: signin, and what is sent to the user`, async (t) => {
    const scene = await Scene.open(t);
    const echo = await scene.echo({ broadcaster, signsInAs: { id: '7' } });
    echo.connector.signin();
    const { pusher } = echo.connector;
    await signedIn(pusher);
    const greetings = inbox('hello', (put) => pusher.user.bind('hello', put));
    await scene.sdk.sendToUser('7', 'hello', { text: 'x' });
    assert.deepEqual(await greetings.next(), { text: 'x' });
  });
}

test('ws_161 a whisper without the setting is an error of the connection', async (t) => {
  const scene = await Scene.open(t);
  const echo = await scene.echo();
  const channel = echo.private('chat');
  const errors = inbox('an error', (put) => echo.connector.pusher.connection.bind('error', put));
  await subscription(channel);
  channel.whisper('typing', {});
  assert.match((await errors.next()).data.message, /^To send client events, you must enable this feature/);
  assert.equal(echo.connectionStatus(), 'connected');
});

test('ws_171 the last event of a cache channel is heard by listen', async (t) => {
  const scene = await Scene.open(t);
  const names = { channel: 'cache-prices', private: 'private-cache-prices', join: 'presence-cache-prices' };
  for (const [method, name] of Object.entries(names)) {
    await scene.sdk.trigger(name, 'App\\Events\\PriceChanged', { euro: method });
    const channel = (await scene.echo({ user: user('1', 'Ann') }))[method]('cache-prices');
    const prices = inbox('PriceChanged', (put) => channel.listen('PriceChanged', put));
    assert.deepEqual(await prices.next(), { euro: method });
  }
});

test('joining and leaving tell once of a user with several tabs, and here stays right', async (t) => {
  const scene = await Scene.open(t);
  const ann = await scene.echo({ user: user('1', 'Ann') });
  const room = ann.join('room');
  const moves = new Inbox('a move');
  room.joining((who) => moves.put(['joining', who.name])).leaving((who) => moves.put(['leaving', who.name]));
  await subscription(room);
  const tabs = [await scene.echo({ user: user('2', 'Bob') }), await scene.echo({ user: user('2', 'Bob') })];
  for (const tab of tabs) await subscription(tab.join('room'));
  tabs[0].leave('room');
  await allDone(tabs[0].connector.pusher);
  tabs[1].disconnect();
  const cy = await scene.echo({ user: user('3', 'Cy') });
  assert.deepEqual(await moves.next(), ['joining', 'Bob']);
  assert.deepEqual(await moves.next(), ['leaving', 'Bob']);
  const here = inbox('here', (put) => cy.join('room').here(put));
  assert.deepEqual((await here.next()).map((who) => who.name).sort(), ['Ann', 'Cy']);
  assert.deepEqual(await moves.next(), ['joining', 'Cy']);
});
