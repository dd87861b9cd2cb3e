// Stock clients with the add-on that counts, whose connections are cut: not one event lost or doubled.
// E2E_LONG makes the first tests as long as half a minute on a train.
import assert from 'node:assert/strict';
import { describe } from 'node:test';

import Echo2 from 'laravel-echo';
import Echo1 from 'laravel-echo-1';
import Pusher8 from 'pusher-js';
import Pusher7 from 'pusher-js-7';

import { startBalancer } from './support/balancer.js';
import { badNetwork, startCutter } from './support/cutting.js';
import { APP, appWith, ONE_APP } from './support/fanfare.js';
import { FORMS, Listener, Publisher, expectAll } from './support/resume.js';
import { Scene, sdkFor, test } from './support/scene.js';
import { allDone, Inbox, inboxOf, signIn, subscribed, until } from './support/waiting.js';

const IS_LONG = process.env.E2E_LONG !== undefined;
const CHANNELS = ['news', 'talk', 'private-orders'];
/** Where servers come in pairs, each connection is to the other node. */
const RESUMING_ANYWHERE = appWith('resume_seconds = 60', 'client_events = true');
// What has `tls` in it is no pair.
const RESUMING = appWith('resume_seconds = 60', 'client_events = true', 'force_tls = false');

const optionsOf = (scene, port, user) => ({
  cluster: 'mt1',
  wsHost: '127.0.0.1',
  wsPort: port,
  forceTLS: false,
  enabledTransports: ['ws'],
  channelAuthorization: { endpoint: scene.authorization.endpoint(user) },
  // As version 7.0 names it.
  authEndpoint: scene.authorization.endpoint(user),
});

/** How clients are made: what is listened by, with the add-on from each of its files. */
const CLIENTS = {
  'pusher-js 8': [(options) => new Pusher8(APP.key, options), FORMS['ES module']],
  'pusher-js 8 again': [(options) => new Pusher8(APP.key, options), FORMS.script],
  'Echo 2': [(options) => new Echo2({ broadcaster: 'reverb', Pusher: Pusher8, key: APP.key, ...options }), FORMS.CommonJS],
  'Echo 1': [(options) => new (Echo1.default ?? Echo1)({ broadcaster: 'pusher', Pusher: Pusher8, key: APP.key, ...options }), FORMS.script],
  'pusher-js 7': [(options) => new Pusher7(APP.key, options), FORMS['ES module']],
};

/** Publishes each channel through one node, so that the channel has an order; of two nodes both publish. */
function publishingOn({ server, sdk }) {
  const sdks = server.nodes?.map((node) => sdkFor(node)) ?? [sdk];
  const of = (channel) => sdks[CHANNELS.indexOf(channel) % sdks.length];
  return {
    triggerBatch: (batch) => of(batch[0].channel).triggerBatch(batch),
    trigger: (channel, ...event) => of(channel).trigger(channel, ...event),
  };
}

/** A listener to all channels, connected through a proxy of its own. */
async function listener(t, scene, kind, { plan, user, channels = CHANNELS } = {}) {
  const cutter = await startCutter(t, scene.server, plan);
  const [make, install] = CLIENTS[kind];
  const client = scene.adopt(make(optionsOf(scene, cutter.port, user)));
  const heard = new Listener(kind, client.connector?.pusher ?? client, install);
  heard.cutter = cutter;
  await Promise.all(channels.map((name) => heard.listen(name)));
  // The server has heard that the client counts.
  await allDone(heard.pusher);
  return heard;
}

const isComplete = ({ resumed }) => resumed.length > 0 && resumed.every(([, { complete }]) => complete);

describe('clients that are cut while 750 events a second come', { concurrency: true }, () => {
  test('res_002 res_005 res_007 res_014 harsh: cut at random frames, often among the first', async (t) => {
    const scene = await Scene.open(t, { config: RESUMING_ANYWHERE });
    const plan = badNetwork(20261129);
    const kinds = ['pusher-js 8', 'pusher-js 8 again', 'Echo 2', 'Echo 1'];
    const listeners = await Promise.all(kinds.map((kind) => listener(t, scene, kind)));
    const publisher = new Publisher(publishingOn(scene), CHANNELS, listeners);
    for (const { cutter } of listeners) {
      cutter.planBy(plan);
      cutter.cut();
    }
    const cuts = IS_LONG ? 16 : 4;
    await until(() => listeners.every(({ cutter }) => cutter.connections > cuts), 'all cuts', 55_000);
    await publisher.stop();
    for (const { cutter } of listeners) cutter.heal();
    await expectAll(publisher);
    for (const heard of listeners) assert.ok(isComplete(heard), JSON.stringify(heard.resumed));
    if (IS_LONG) t.diagnostic(`${publisher.published.news.length} on each channel, ${listeners.map(({ cutter }) => cutter.connections)} connections`);
  });

  test('res_002 res_005 res_014 soft: what was in flight is lost, then the connection', async (t) => {
    const scene = await Scene.open(t, { config: RESUMING_ANYWHERE });
    const kinds = ['pusher-js 8', 'Echo 2', 'Echo 1', 'pusher-js 7'];
    const listeners = await Promise.all(kinds.map((kind) => listener(t, scene, kind)));
    const publisher = new Publisher(publishingOn(scene), CHANNELS, listeners);
    // In Node, pusher-js 7 gives up after two short connections.
    for (let cut = 0; cut < (IS_LONG ? 6 : 2); cut++) {
      const there = listeners.filter(({ name }) => cut === 0 || name !== 'pusher-js 7');
      const before = there.map(({ resumed }) => resumed.length);
      for (const { cutter } of there) cutter.lose();
      await new Promise((resolve) => setTimeout(resolve, 60));
      for (const { cutter } of there) cutter.cut();
      const isBack = (heard, place) => heard.resumed.length === before[place] + CHANNELS.length;
      await until(() => there.every(isBack), 'the answers on all channels', 20_000);
    }
    await publisher.stop();
    await expectAll(publisher);
    for (const heard of listeners) {
      assert.ok(isComplete(heard), JSON.stringify(heard.resumed));
      assert.ok(heard.resumed.every(([, { replayed }]) => replayed > 0), JSON.stringify(heard.resumed));
    }
    if (IS_LONG) t.diagnostic(`${publisher.published.news.length} on each channel`);
  });
});

describe('one cut', { concurrency: true }, () => {
  /** Cuts a client's connection, and lets the client come back once `meanwhile` is over. */
  async function cutOnce({ cutter }, meanwhile) {
    cutter.hold();
    cutter.cut();
    await meanwhile();
    cutter.release();
  }

  /** The next answer for each of so many channels. */
  async function answers(heard, count) {
    const all = {};
    for (let n = 0; n < count; n++) {
      const [channel, resumed] = await heard.answers.next(20_000);
      all[channel] = resumed;
    }
    return all;
  }

  test('res_004 a client that may not join a private channel any more is sent nothing of it', async (t) => {
    const scene = await Scene.open(t, { config: RESUMING });
    const heard = await listener(t, scene, 'pusher-js 8');
    const orders = heard.pusher.channel('private-orders');
    const errors = inboxOf(orders, 'pusher:subscription_error');
    await cutOnce(heard, async () => {
      heard.pusher.config.channelAuthorizer = (_, done) => done(new Error('withdrawn'), null);
      for (const name of CHANNELS) await scene.sdk.trigger(name, 'e', { n: 1 });
    });
    const complete = { replayed: 1, complete: true };
    assert.deepEqual(await answers(heard, 2), { news: complete, talk: complete });
    await errors.next();
    assert.deepEqual(heard.got, { news: [1], talk: [1], 'private-orders': [] });
  });

  test('res_012 where the ring is too short the page is told so, and nothing is replayed', async (t) => {
    const config = appWith('resume_seconds = 60', 'limits.resume_entries = 20', 'force_tls = false');
    const scene = await Scene.open(t, { config });
    const heard = await listener(t, scene, 'Echo 2');
    await cutOnce(heard, async () => {
      for (let n = 0; n < 21; n++) await scene.sdk.trigger('news', 'e', { n });
      for (let n = 0; n < 20; n++) await scene.sdk.trigger('talk', 'e', { n });
    });
    assert.deepEqual(await answers(heard, 3), {
      news: { replayed: 0, complete: false },
      talk: { replayed: 20, complete: true },
      'private-orders': { replayed: 0, complete: true },
    });
    for (const name of CHANNELS) await scene.sdk.trigger(name, 'e', { n: 99 });
    await until(() => CHANNELS.every((name) => heard.got[name].includes(99)), 'what is published then');
    assert.deepEqual(heard.got.news, [99]);
    assert.deepEqual(heard.got.talk, [...Array(20).keys(), 99]);
  });

  test('res_020 channels of every kind resume, and the callback hears of each', async (t) => {
    const config = appWith('resume_seconds = 60', 'client_events = true', 'subscription_counts = true', 'force_tls = false');
    const scene = await Scene.open(t, { config });
    const user = { user_id: 'ann', user_info: { name: 'Ann' } };
    const names = ['cache-news', 'presence-room', 'private-encrypted-orders', 'private-chat'];
    const cutter = await startCutter(t, scene.server);
    const signsInAs = { id: 'ann', user_info: {} };
    const pusher = scene.connecting({ user, signsInAs, wsPort: cutter.port });
    const heard = new Listener('pusher-js 8', pusher, FORMS.script);
    heard.cutter = cutter;
    await scene.sdk.trigger('cache-news', 'e', { n: 0 });
    await Promise.all(names.map((name) => heard.listen(name)));
    await signIn(pusher);
    const greetings = inboxOf(pusher.user, 'hello');
    const whispers = inboxOf(pusher.channel('private-chat'), 'client-e');
    const own = new Inbox('the answer on the channel itself');
    pusher.channel('presence-room').bind('fanfare:resumed', (data) => own.put(data));
    const bob = await scene.client({ user: { user_id: 'bob' } });
    await Promise.all(['presence-room', 'private-chat'].map((name) => subscribed(bob.subscribe(name))));
    await until(() => heard.got['cache-news'].length === 1, 'what is kept');
    await cutOnce(heard, async () => {
      for (const n of [1, 2]) for (const name of names) await scene.sdk.trigger(name, 'e', { n });
      await scene.sdk.sendToUser('ann', 'hello', 'missed');
      bob.channel('private-chat').trigger('client-e', { by: 'bob' });
      const cy = await scene.client({ user: { user_id: 'cy' } });
      await subscribed(cy.subscribe('presence-room'));
      await until(async () => (await (await scene.sdk.get({ path: '/channels/presence-room/users' })).json()).users.length >= 2, 'cy');
    });
    const complete = (replayed) => ({ replayed, complete: true });
    assert.deepEqual(await answers(heard, 5), {
      'cache-news': complete(2),
      'presence-room': complete(2),
      'private-encrypted-orders': complete(2),
      'private-chat': complete(3),
      '#server-to-user-ann': complete(1),
    });
    assert.deepEqual(heard.got, { 'cache-news': [0, 1, 2], 'presence-room': [1, 2], 'private-encrypted-orders': [1, 2], 'private-chat': [1, 2] });
    assert.equal(await greetings.next(), 'missed');
    assert.deepEqual(await whispers.next(), { by: 'bob' });
    assert.deepEqual(await own.next(), complete(2));
    assert.deepEqual(Object.keys(pusher.channel('presence-room').members.members).sort(), ['ann', 'bob', 'cy']);
  });

  test('res_003 a channel that was left and joined again begins anew, also while its acknowledgement was lost', async (t) => {
    const scene = await Scene.open(t, { config: RESUMING });
    const heard = await listener(t, scene, 'pusher-js 8', { channels: ['news', 'talk', 'gone'] });
    for (const name of ['news', 'talk', 'gone']) await scene.sdk.trigger(name, 'e', { n: 0 });
    await until(() => heard.got.gone.length === 1, 'the first event');
    heard.cutter.lose();
    // The server sees both; the acknowledgement of the second never arrives.
    for (const name of ['news', 'gone']) heard.pusher.unsubscribe(name);
    heard.pusher.subscribe('news').bind('e', ({ n }) => heard.got.news.push(n));
    await until(async () => !('gone' in (await (await scene.sdk.get({ path: '/channels' })).json()).channels), 'the leave');
    for (const name of ['news', 'talk', 'gone']) await scene.sdk.trigger(name, 'e', { n: 1 });
    heard.cutter.cut();
    assert.deepEqual(await heard.answers.next(20_000), ['talk', { replayed: 1, complete: true }]);
    await subscribed(heard.pusher.channel('news'));
    heard.pusher.subscribe('gone');
    await subscribed(heard.pusher.channel('gone'));
    for (const name of ['news', 'talk', 'gone']) await scene.sdk.trigger(name, 'e', { n: 2 });
    await until(() => heard.got.news.includes(2) && heard.got.talk.includes(2), 'what is published then');
    assert.deepEqual([heard.got.news, heard.got.talk], [[0, 2], [0, 1, 2]]);
    assert.equal(heard.resumed.length, 1);
  });

  test('res_010 an error that a handler of the page throws does not spoil the count', async (t) => {
    const scene = await Scene.open(t, { config: RESUMING });
    const heard = await listener(t, scene, 'pusher-js 8');
    const thrown = new Inbox('an error');
    const uncaught = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => thrown.put(error.message));
    t.after(() => {
      process.removeAllListeners('uncaughtException');
      for (const one of uncaught) process.on('uncaughtException', one);
    });
    heard.pusher.channel('news').bind('e', ({ n }) => {
      if (n === 1) throw new Error('of the page');
    });
    for (const n of [0, 1, 2]) {
      await scene.sdk.trigger('news', 'e', { n });
      await until(() => heard.got.news.length === n + 1, 'an event');
    }
    assert.equal(await thrown.next(), 'of the page');
    await cutOnce(heard, () => scene.sdk.trigger('news', 'e', { n: 3 }));
    assert.deepEqual((await answers(heard, 3)).news, { replayed: 1, complete: true });
    assert.deepEqual(heard.got.news, [0, 1, 2, 3]);
  });

  test('res_021 a client that was connected before asks for the offer, and learns what was not counted', async (t) => {
    const scene = await Scene.open(t, { config: RESUMING });
    const cutter = await startCutter(t, scene.server);
    const pusher = await scene.client({ wsPort: cutter.port });
    await subscribed(pusher.subscribe('news'));
    const heard = new Listener('a late client', pusher, (...given) => FORMS.CommonJS(...given, { late: true }));
    heard.cutter = cutter;
    await heard.listen('talk');
    await allDone(pusher);
    await cutOnce(heard, async () => {
      for (const name of ['news', 'talk']) await scene.sdk.trigger(name, 'e', { n: 1 });
    });
    assert.deepEqual(await answers(heard, 2), { news: { replayed: 0, complete: false }, talk: { replayed: 1, complete: true } });
    assert.deepEqual(heard.got, { talk: [1] });
  });

  for (const transport of ['xhr_streaming', 'xhr_polling']) {
    test(`res_006 by ${transport}, whose requests may overtake each other, each channel is answered`, async (t) => {
      const scene = await Scene.open(t, { config: RESUMING });
      const { host, port } = scene.server;
      const options = { ...optionsOf(scene, port), httpHost: host, httpPort: port, enabledTransports: [transport] };
      const heard = new Listener(transport, scene.adopt(new Pusher8(APP.key, options)), FORMS.script);
      await Promise.all(CHANNELS.map((name) => heard.listen(name)));
      await allDone(heard.pusher);
      for (let n = 0; n < 5; n++) {
        heard.pusher.disconnect();
        for (const name of CHANNELS) await scene.sdk.trigger(name, 'e', { n });
        heard.pusher.connect();
        const resumed = await answers(heard, 3);
        for (const name of CHANNELS) {
          assert.equal(heard.got[name].includes(n), resumed[name].complete && resumed[name].replayed === 1, name);
        }
        await allDone(heard.pusher);
      }
    });
  }

  test('res_002 by xhr_streaming, a stream that is cut while it runs', async (t) => {
    const scene = await Scene.open(t, { config: RESUMING });
    const balancer = await startBalancer(scene.server);
    t.after(() => balancer.stop());
    const options = { ...optionsOf(scene, balancer.port), httpHost: '127.0.0.1', httpPort: balancer.port, enabledTransports: ['xhr_streaming'] };
    const heard = new Listener('xhr_streaming', scene.adopt(new Pusher8(APP.key, options)), FORMS.script);
    await Promise.all(CHANNELS.map((name) => heard.listen(name)));
    await allDone(heard.pusher);
    const publisher = new Publisher(scene.sdk, CHANNELS, [heard]);
    await until(() => heard.got.news.length > 20, 'some events');
    balancer.cut();
    await until(() => heard.resumed.length >= CHANNELS.length, 'the answers on all channels', 20_000);
    await publisher.stop();
    await expectAll(publisher);
    assert.ok(isComplete(heard), JSON.stringify(heard.resumed));
  });

  test('res_007 a server that does not resume is told nothing, and the page that it missed something', async (t) => {
    const scene = await Scene.open(t, { config: `${ONE_APP}force_tls = false\n` });
    const heard = await listener(t, scene, 'pusher-js 8');
    const sent = [];
    const { send_event: send } = heard.pusher.connection;
    heard.pusher.connection.send_event = function (...event) {
      sent.push(event[0]);
      return send.apply(this, event);
    };
    await cutOnce(heard, () => scene.sdk.trigger('news', 'e', { n: 1 }));
    const incomplete = { replayed: 0, complete: false };
    assert.deepEqual(await answers(heard, 3), { news: incomplete, talk: incomplete, 'private-orders': incomplete });
    assert.ok(!sent.includes('fanfare:resume'), sent.join());
  });

  test('res_007 resuming is switched off while clients count, and on again', async (t) => {
    const scene = await Scene.open(t, { config: '[timeouts]\ndrain = 1\n\n[apps]\ndatabase = "sqlite"\n' });
    const made = await scene.server.command('app', 'create', '--id', APP.id, '--key', APP.key, '--name', 'shop', '--set', 'resume_seconds=60');
    const secret = /secret +(\S+)/.exec(made)[1];
    const token = /fanfare_\w+/.exec(await scene.server.command('token', 'create', '--name', 'e2e', '--scope', 'read,write'))[0];
    const set = async (seconds) => {
      const url = new URL(`/v1/apps/${APP.id}`, scene.server.adminUrl);
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'PATCH', headers, body: JSON.stringify({ settings: { resume_seconds: seconds } }) });
      assert.equal(answer.status, 200, await answer.text());
    };
    const sdk = sdkFor(scene.server, { secret });
    const heard = await listener(t, scene, 'pusher-js 8', { channels: ['news'] });
    await cutOnce(heard, () => sdk.trigger('news', 'e', { n: 1 }));
    assert.deepEqual(await heard.answers.next(), ['news', { replayed: 1, complete: true }]);
    const errors = inboxOf(heard.pusher.connection, 'error');
    await set(0);
    await sdk.trigger('news', 'e', { n: 2 });
    await until(() => heard.got.news.includes(2), 'an event on the open connection');
    await cutOnce(heard, () => sdk.trigger('news', 'e', { n: 3 }));
    assert.deepEqual(await heard.answers.next(), ['news', { replayed: 0, complete: false }]);
    await set(60);
    await cutOnce(heard, () => sdk.trigger('news', 'e', { n: 4 }));
    // Nobody counted on the connection before.
    assert.deepEqual(await heard.answers.next(), ['news', { replayed: 0, complete: false }]);
    await cutOnce(heard, () => sdk.trigger('news', 'e', { n: 5 }));
    assert.deepEqual(await heard.answers.next(), ['news', { replayed: 1, complete: true }]);
    assert.deepEqual(heard.got.news, [1, 2, 5]);
    assert.ok(!errors.all.some((error) => /unsupported|fanfare/i.test(JSON.stringify(error))), JSON.stringify(errors.all));
  });
});
