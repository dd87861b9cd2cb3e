// The reaction of pusher-js to the end of its connection, for each close code that can occur.
import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { startBalancer } from './support/balancer.js';
import { APP, appWith, ONE_APP } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { inboxOf, inState, subscribed } from './support/waiting.js';

/** The connection's report of its end: code and message. */
const reported = async (errors) => {
  const { data, error } = await errors.next();
  return data ?? error.data;
};

// pusher-js waits a second before reconnecting: all tests wait at the same time.
describe('a connection that ends', { concurrency: true }, () => {
  test('ws_052 4100 at the handshake: pusher-js comes back each second, until there is room', async (t) => {
    const scene = await Scene.open(t, { config: `[limits]\nconnections = 1\n${ONE_APP}` });
    const first = await scene.client();
    const second = scene.connecting();
    const errors = inboxOf(second.connection, 'error');
    const waits = inboxOf(second.connection, 'connecting_in');
    assert.deepEqual(await reported(errors), { code: 4100, message: 'Over capacity (setting limits.connections)' });
    assert.equal(await waits.next(), 1);
    first.disconnect();
    await inState(second, 'connected');
  });

  test('ws_052 ws_214 4100 on an open connection: nothing but faults ends it, and pusher-js returns', async (t) => {
    const scene = await Scene.open(t);
    const pusher = await scene.client();
    const news = pusher.subscribe('news');
    await subscribed(news);
    const closed = inboxOf(pusher.connection, 'connecting_in');
    const connected = inboxOf(pusher.connection, 'connected');
    const again = inboxOf(news, 'pusher:subscription_succeeded');
    const errors = inboxOf(pusher.connection, 'error');
    for (let i = 0; i < 1000; i++) pusher.send_event('no-such-event', {});
    assert.equal(await closed.next(), 1);
    assert.deepEqual(errors.all.at(-1).error.data, { code: 4100, message: 'Too many invalid messages' });
    await connected.next();
    await again.next();
  });

  test('ws_052 1009: too large a message ends the connection, and pusher-js returns', async (t) => {
    const scene = await Scene.open(t);
    const pusher = await scene.client();
    const [errors, connected] = [inboxOf(pusher.connection, 'error'), inboxOf(pusher.connection, 'connected')];
    pusher.send_event('client-big', 'x'.repeat(32768), 'private-chat');
    assert.equal((await reported(errors)).code, 1009);
    await connected.next();
  });

  test('ws_052 1006: a connection that breaks without a word is gone from its channels, and returns', async (t) => {
    const scene = await Scene.open(t);
    const balancer = await startBalancer(scene.server);
    t.after(() => balancer.stop());
    const bob = (await scene.client({ user: { user_id: 'bob' } })).subscribe('presence-room');
    const [added, removed] = ['added', 'removed'].map((what) => inboxOf(bob, `pusher:member_${what}`));
    await subscribed(bob);
    const ann = await scene.client({ user: { user_id: 'ann' }, wsPort: balancer.port });
    ann.subscribe('presence-room');
    assert.equal((await added.next()).id, 'ann');
    balancer.cut();
    assert.equal((await removed.next()).id, 'ann');
    assert.equal((await added.next()).id, 'ann');
  });

  test('ws_052 4000: pusher-js goes over to TLS', async (t) => {
    const scene = await Scene.open(t, { config: appWith('force_tls = true') });
    const pusher = scene.connecting();
    const errors = inboxOf(pusher.connection, 'error');
    assert.equal((await reported(errors)).code, 4000);
    assert.equal(pusher.connection.isUsingTLS(), true);
  });

  test('ws_052 ws_009 4005: a path that leads nowhere is left alone for good', async (t) => {
    const scene = await Scene.open(t);
    const pusher = scene.connecting({ wsPath: '/nowhere' });
    const errors = inboxOf(pusher.connection, 'error');
    const message = `Path not found: connect to /app/KEY, not /nowhere/app/${APP.key}`;
    assert.deepEqual(await reported(errors), { code: 4005, message });
    await inState(pusher, 'disconnected');
    assert.ok(!pusher.connection.retryTimer);
  });
});
