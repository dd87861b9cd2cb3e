// Stock clients whose authorization endpoint is Fanfare, which asks the application.
import assert from 'node:assert/strict';

import { asking, pusherBroadcaster, redisBroadcaster, startApplication } from './support/application.js';
import { inbox, subscription } from './support/echo.js';
import { appWith } from './support/fanfare.js';
import { Scene, sdkFor, test } from './support/scene.js';
import { inboxOf, signedIn, subscribed, withDeadline } from './support/waiting.js';

const BROADCASTERS = {
  redis: redisBroadcaster,
  pusher: pusherBroadcaster(sdkFor({ host: '127.0.0.1', port: 1 })),
};

async function openWith(t, broadcaster) {
  const settings = await startApplication(t, broadcaster);
  return Scene.open(t, { config: appWith(...settings) });
}

const clientOf = (scene, token) => scene.client(asking(scene.server, token));

for (const [name, broadcaster] of Object.entries(BROADCASTERS)) {
  test(`${name}: private and presence channels are joined, and events come`, async (t) => {
    const scene = await openWith(t, broadcaster);
    const [ann, bob] = [await clientOf(scene, 'ann-token'), await clientOf(scene, 'bob-token')];
    const orders = ann.subscribe('private-orders');
    const events = inboxOf(orders, 'hello');
    await subscribed(orders);
    await scene.sdk.trigger('private-orders', 'hello', { text: 'x' });
    assert.deepEqual(await events.next(), { text: 'x' });
    const room = ann.subscribe('presence-room');
    const added = inboxOf(room, 'pusher:member_added');
    assert.deepEqual((await subscribed(room)).me, { id: '7', info: { id: 7, name: 'Ann' } });
    const members = await subscribed(bob.subscribe('presence-room'));
    assert.deepEqual(members.members, { 7: { id: 7, name: 'Ann' }, 12: { id: 12, name: 'Bob' } });
    assert.deepEqual(await added.next(), { id: '12', info: { id: 12, name: 'Bob' } });
  });

  test(`${name}: a user signs in, and hears what is sent to the user`, async (t) => {
    const scene = await openWith(t, broadcaster);
    const ann = await clientOf(scene, 'ann-token');
    ann.signin();
    await signedIn(ann);
    const greetings = inboxOf(ann.user, 'hello');
    await scene.sdk.sendToUser('7', 'hello', { text: 'x' });
    assert.deepEqual(await greetings.next(), { text: 'x' });
  });

  test(`${name}: a no of the application is a subscription error with its status`, async (t) => {
    const scene = await openWith(t, broadcaster);
    for (const [token, channel] of [
      ['ann-token', 'private-closed'],
      [undefined, 'private-orders'],
      [undefined, 'presence-room'],
    ]) {
      const pusher = await clientOf(scene, token);
      const errors = inboxOf(pusher.subscribe(channel), 'pusher:subscription_error');
      const { type, status } = await errors.next();
      assert.deepEqual([type, status], ['AuthError', 403], channel);
    }
    const nobody = await clientOf(scene);
    nobody.signin();
    await withDeadline(nobody.user.signinDonePromise, 'the end of the sign-in');
    assert.equal(nobody.user.user_data, null);
  });

  test(`${name}: Echo's here, joining and error`, async (t) => {
    const scene = await openWith(t, broadcaster);
    const ann = await scene.echo(asking(scene.server, 'ann-token'));
    const room = ann.join('room');
    const [here, joining] = ['here', 'joining'].map((method) => inbox(method, (put) => room[method](put)));
    assert.deepEqual(await here.next(), [{ id: 7, name: 'Ann' }]);
    const bob = await scene.echo(asking(scene.server, 'bob-token'));
    await subscription(bob.join('room'));
    assert.deepEqual(await joining.next(), { id: 12, name: 'Bob' });
    const errors = inbox('an error', (put) => bob.private('closed').error(put));
    assert.equal((await errors.next()).status, 403);
  });
}

test('an encrypted channel is joined where the application signs', async (t) => {
  const signing = await openWith(t, BROADCASTERS.pusher);
  const channel = (await clientOf(signing, 'ann-token')).subscribe('private-encrypted-orders');
  const events = inboxOf(channel, 'hello');
  await subscribed(channel);
  await signing.sdk.trigger('private-encrypted-orders', 'hello', { text: 'x' });
  assert.deepEqual(await events.next(), { text: 'x' });
});

test('an encrypted channel of an application that cannot sign is refused', async (t) => {
  const scene = await openWith(t, BROADCASTERS.redis);
  const channel = (await clientOf(scene, 'ann-token')).subscribe('private-encrypted-orders');
  assert.equal((await inboxOf(channel, 'pusher:subscription_error').next()).status, 403);
});

test('an application that fails is a subscription error with 502', async (t) => {
  const scene = await openWith(t, () => [500, { message: 'broken' }]);
  const channel = (await clientOf(scene, 'ann-token')).subscribe('private-orders');
  assert.equal((await inboxOf(channel, 'pusher:subscription_error').next()).status, 502);
});
