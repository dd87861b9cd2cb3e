// The pieces of JavaScript in docs/ about resuming, traces, users and publishing once, run as they stand there.
import assert from 'node:assert/strict';

import { blocksIn } from './support/docs.js';
import { Scene, test } from './support/scene.js';
import { allDone, Inbox, inboxOf, subscribed, until } from './support/waiting.js';

const AsyncFunction = (async () => {}).constructor;

/** Runs the first block of a section with these names; gives what it says on the console, or the last value if there is none. */
async function run(page, heading, names, last = '') {
  const [code] = await blocksIn(page, heading, 'js');
  const said = [];
  const all = { ...names, console: { log: (...words) => said.push(...words) } };
  const value = await new AsyncFunction(...Object.keys(all), `${code}\n${last}`)(...Object.values(all));
  return said.length > 0 ? said : value;
}

test('api_042 docs/users.md: who is online', async (t) => {
  const scene = await Scene.open(t);
  await scene.signedIn({ id: '42' });
  const users = await run('users.md', 'Ask', { pusher: scene.sdk }, 'return users;');
  assert.equal(users['42'].connections, 1);
  assert.deepEqual(users['43'], { online: false, connections: 0, since: null });
});

test('con_042 docs/events.md: a back end asks where its event went', async (t) => {
  const scene = await Scene.open(t);
  await subscribed((await scene.client()).subscribe('private-orders'));
  const [trace] = await run('events.md', 'From the back end', { pusher: scene.sdk });
  const [{ channel, hint }] = trace.channels;
  assert.deepEqual([trace.event, channel, hint.kind, hint.channel], ['OrderShipped', 'orders', 'prefix', 'private-orders']);
});

test('api_022 docs/publishing-once.md: a publish that is sent again is heard once', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const heard = inboxOf(pusher.subscribe('orders'), 'shipped');
  await subscribed(pusher.channel('orders'));
  const [code] = await blocksIn('publishing-once.md', 'Publishing once', 'js');
  const publish = code.split('\n').find((line) => line.startsWith('await '));
  await run('publishing-once.md', 'Publishing once', { pusher: scene.sdk, crypto: globalThis.crypto }, publish);
  assert.deepEqual(await heard.next(), { id: 7 });
  await allDone(pusher);
  assert.equal(heard.all.length, 1);
});

test('res_006 docs/resume.md: where something may be missing a page has each change once, also when a fetch fails', async (t) => {
  const scene = await Scene.open(t);
  const pusher = await scene.client();
  const [code] = await blocksIn('resume.md', 'When `complete` is false', 'js');
  const [asked, retries] = [new Inbox('a fetch'), new Inbox('another try')];
  const done = [];
  const names = {
    pusher,
    fetch: (path) => new Promise((resolve, reject) => asked.put({ path, resolve, reject })),
    show: (channel, { version }) => done.push(`state ${version} of ${channel}`),
    apply: (channel, { version }) => done.push(`change ${version} of ${channel}`),
    setTimeout: (again, wait, ...given) => retries.put({ again: () => again(...given), wait }),
  };
  const fetchStateOf = new Function(...Object.keys(names), `${code}; return fetchStateOf;`)(...Object.values(names));
  const changes = inboxOf(pusher.channel('orders'), 'changed');
  await subscribed(pusher.channel('orders'));
  const change = async (version) => {
    await scene.sdk.trigger('orders', 'changed', { version });
    await changes.next();
  };
  await change(1);
  fetchStateOf('orders');
  const first = await asked.next();
  assert.equal(first.path, '/state/orders');
  await change(2);
  first.reject(new Error('cut again'));
  const { again, wait } = await retries.next();
  assert.ok(wait >= 1000 && wait <= 2000, `${wait} ms`);
  again();
  const second = await asked.next();
  for (const version of [3, 4]) await change(version);
  // Whoever hears of a gap twice asks once.
  fetchStateOf('orders');
  second.resolve({ json: async () => ({ version: 3 }) });
  await until(() => done.includes('change 4 of orders'), 'what came meanwhile');
  await change(5);
  assert.deepEqual(done, ['change 1 of orders', 'state 3 of orders', 'change 4 of orders', 'change 5 of orders']);
  assert.equal(asked.all.length, 2);
});
