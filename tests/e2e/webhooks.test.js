// Webhooks as the stock Node SDK reads them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { APP, appWith } from './support/fanfare.js';
import { Scene, sdkFor, test } from './support/scene.js';
import { Inbox, subscribed } from './support/waiting.js';

const ALL = ['channel_existence', 'presence', 'client_events', 'cache_miss', 'subscription_count'];

/** A server whose app sends all webhooks to a back end, and the requests there: headers and body. */
async function told(t, { events = ALL, batch = false } = {}) {
  const requests = new Inbox('a webhook');
  const backEnd = createServer(async (request, response) => {
    let rawBody = '';
    for await (const chunk of request.setEncoding('utf8')) rawBody += chunk;
    requests.put({ headers: request.headers, rawHeaders: request.rawHeaders, rawBody });
    response.end();
  });
  backEnd.listen(0, '127.0.0.1');
  await once(backEnd, 'listening');
  const webhook = [
    '[[apps.list.webhooks]]',
    `url = "http://127.0.0.1:${backEnd.address().port}/hook"`,
    `events = ${JSON.stringify(events)}`,
    `batch = ${batch}`,
  ];
  const scene = await Scene.open(t, { config: appWith('client_events = true', ...webhook) });
  t.after(() => {
    backEnd.close();
    backEnd.closeAllConnections();
  });
  return { scene, requests };
}

test('hook_003 auth_050 the SDK takes our requests for valid and gives their events', async (t) => {
  const { scene, requests } = await told(t);
  const pusher = await scene.client({ user: { user_id: 'u1' } });
  const channel = pusher.subscribe('presence-cache-a');
  await subscribed(channel);
  channel.trigger('client-hi', { a: 1 });
  const before = Date.now();
  const events = [];
  while (events.length < 4) {
    const webhook = scene.sdk.webhook(await requests.next());
    assert.equal(webhook.isValid(), true);
    assert.ok(Math.abs(webhook.getTime() - before) < 60_000);
    events.push(...webhook.getEvents());
  }
  const where = { channel: 'presence-cache-a' };
  assert.deepEqual(events, [
    { name: 'channel_occupied', ...where },
    { name: 'member_added', ...where, user_id: 'u1' },
    { name: 'cache_miss', ...where },
    {
      name: 'client_event',
      ...where,
      event: 'client-hi',
      data: '{"a":1}',
      socket_id: pusher.connection.socket_id,
      user_id: 'u1',
    },
  ]);
});

test('auth_050 the SDK refuses a body that was changed, and one that another secret has signed', async (t) => {
  const { scene, requests } = await told(t, { events: ['channel_existence'] });
  await subscribed((await scene.client()).subscribe('news'));
  const request = await requests.next();
  assert.equal(scene.sdk.webhook(request).isValid(), true);
  const changed = { ...request, rawBody: request.rawBody.replace('news', 'olds') };
  assert.equal(scene.sdk.webhook(changed).isValid(), false);
  assert.equal(sdkFor(scene.server, { secret: 'another' }).webhook(request).isValid(), false);
});

test('hook_002 the SDK takes a batch for valid', async (t) => {
  const { scene, requests } = await told(t, { events: ['channel_existence'], batch: true });
  const pusher = await scene.client();
  const channels = ['a', 'b', 'c'].map((name) => pusher.subscribe(name));
  for (const channel of channels) await subscribed(channel);
  const events = [];
  while (events.length < 3) {
    const webhook = scene.sdk.webhook(await requests.next());
    assert.equal(webhook.isValid(), true);
    events.push(...webhook.getEvents());
  }
  assert.deepEqual(events.map((event) => event.channel), ['a', 'b', 'c']);
  assert.ok(requests.all.every(({ rawHeaders }) => rawHeaders.includes('X-Pusher-Key') && rawHeaders.includes(APP.key)));
});
