// laravel-echo-server's HTTP API with the stock Node SDK: a client's name and key, and any secret.
import assert from 'node:assert/strict';

import { ONE_APP } from './support/fanfare.js';
import { Scene, sdkFor, test } from './support/scene.js';
import { inboxOf, subscribed } from './support/waiting.js';

const CLIENT = { appId: '4bc57ea56b4e0ac5', key: '8e2a9d1b6e4f0c3a7d5b1e9f8a6c0b2d' };

const config = `${ONE_APP}
[socketio]
enabled = true

[[socketio.clients]]
app_id = "${CLIENT.appId}"
key = "${CLIENT.key}"
`;

test('sio_082 the SDK publishes and queries with a key of laravel-echo-server and any secret', async (t) => {
  const scene = await Scene.open(t, { config });
  const sdk = sdkFor(scene.server, { ...CLIENT, secret: 'whatever it is' });
  const pusher = await scene.client();
  const channel = pusher.subscribe('news');
  await subscribed(channel);
  const arrived = inboxOf(channel, 'shipped');
  assert.deepEqual(await (await sdk.trigger('news', 'shipped', { id: 7 })).json(), { message: 'ok' });
  assert.deepEqual(await arrived.next(), { id: 7 });
  assert.deepEqual(await (await sdk.get({ path: '/channels' })).json(), {
    channels: { news: { subscription_count: 1, occupied: true } },
  });
});
