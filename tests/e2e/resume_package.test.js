// The package clients/resume: its files are one function, small, and found by both kinds of modules.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { ONE_APP } from './support/fanfare.js';
import { seeded } from './support/cutting.js';
import { FORMS, PACKAGE, read } from './support/resume.js';
import { Scene, test } from './support/scene.js';

/** What a form of the function does in a random life of a client, of which only the parts that it uses are there. */
function lifeOf(install, seed) {
  const random = seeded(seed);
  const pick = (...of) => of[Math.floor(random() * of.length)];
  const done = [];
  const channels = {};
  const join = (name) => (channels[name] = { name, subscribed: random() < 0.5 });
  let handler;
  const pusher = {
    connection: { bind_global: (given) => (handler = given) },
    channel: (name) => channels[name],
    allChannels: () => Object.values(channels),
    send_event: (...sent) => done.push(JSON.stringify(sent)),
  };
  for (let n = 0; n < 3; n++) join(`c${n}`);
  const onResumed = pick(undefined, (...told) => done.push(JSON.stringify(told)));
  install(pusher, onResumed, pick(undefined, {}, { late: true }));
  for (let step = 0, tokens = 0; step < 400; step++) {
    const channel = pick('#server-to-user-1', ...Array.from({ length: 90 }, (_, n) => `c${n}`));
    const message = (event, data = {}, of = channel) => handler('message', { event, channel: of, data });
    pick(
      () => handler('state_change', { previous: 'connecting', current: 'connected' }),
      () => handler('state_change', { previous: 'connected', current: 'connecting' }),
      () => handler('connecting', undefined),
      () => handler('connecting_in', 1),
      () => message('pusher_internal:resume', { token: `t${tokens++}` }, undefined),
      () => message('fanfare:resumed', { replayed: 1, complete: pick(true, false) }),
      () => delete channels[channel],
      ...Array(8).fill(() => channel.startsWith('#') || join(channel)),
      ...Array(20).fill(() => message('pusher_internal:subscription_succeeded')),
      ...Array(20).fill(() => message(pick('e', 'pusher:cache_miss', 'pusher_internal:member_added'))),
    )();
  }
  return done;
}

test('res_022 the three files are the same function', () => {
  for (let seed = 0; seed < 40; seed++) {
    const lives = Object.values(FORMS).map((install) => lifeOf(install, seed));
    assert.ok(lives[0].length > 0);
    for (const life of lives) assert.deepEqual(life, lives[0], `seed ${seed}`);
  }
});

test('res_020 a channel that is named like a property of every object is counted like others', () => {
  for (const install of Object.values(FORMS)) {
    const sent = [];
    const told = [];
    const channels = new Map();
    let handler;
    const pusher = {
      connection: { bind_global: (given) => (handler = given) },
      channel: (name) => channels.get(name),
      allChannels: () => [...channels.values()],
      send_event: (event, data) => sent.push(data),
    };
    install(pusher, (...one) => told.push(one));
    const message = (event, channel, data = {}) => handler('message', { event, channel, data });
    const names = ['constructor', 'toString', 'valueOf'];
    message('pusher_internal:resume', undefined, { token: 't' });
    for (const name of names) {
      channels.set(name, { name });
      message('pusher_internal:subscription_succeeded', name);
      message('e', name);
    }
    assert.deepEqual(told, [], 'nothing was cut');
    handler('state_change', { previous: 'connecting', current: 'connected' });
    const counted = Object.entries(sent.at(-1)).map(([name, position]) => [name, ...position]);
    assert.deepEqual(counted, names.map((name) => [name, 't', 1]));
  }
});

test('res_022 the CommonJS file is made from the module, and the function is smaller than 700 bytes', () => {
  const { common } = createRequire(import.meta.url)(path.join(PACKAGE, 'build.js'));
  assert.equal(read('fanfare-resume.cjs'), common());
  const small = read('fanfare-resume.js').replace(/^\/\*[^]*?\*\/\n/, '').trim();
  assert.match(small, /^function fanfareResume\(/);
  assert.ok(Buffer.byteLength(small) < 700, `${Buffer.byteLength(small)} bytes`);
});

test('res_022 what npm packs is found by import and require, and as a script', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-e2e-package-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const description = JSON.parse(read('package.json'));
  const installed = path.join(directory, 'node_modules', description.name);
  await mkdir(installed, { recursive: true });
  for (const file of ['package.json', 'README.md', 'LICENSE', ...description.files]) await cp(path.join(PACKAGE, file), path.join(installed, file));
  assert.equal(description.dependencies, undefined);
  await writeFile(path.join(directory, 'a.mjs'), "import f from 'fanfare-resume'; console.log(typeof f, f.name);");
  const common = "const f = require('fanfare-resume'); console.log(typeof f, f.default === f, require('fanfare-resume/fanfare-resume.js') && 1);";
  await writeFile(path.join(directory, 'b.cjs'), common);
  const run = async (file) => (await promisify(execFile)(process.execPath, [file], { cwd: directory })).stdout.trim();
  assert.equal(await run('a.mjs'), 'function fanfareResume');
  assert.equal(await run('b.cjs'), 'function true 1');
});

test('res_021 the README begins with the rule, and has ten lines', () => {
  const lines = read('README.md').trimEnd().split('\n');
  assert.match(lines[0], /same turn of the event loop in which the client is made/);
  assert.ok(lines.length <= 10, `${lines.length} lines`);
});

test('res_022 the server has the script of the package', async (t) => {
  const scene = await Scene.open(t, { config: ONE_APP });
  const answer = await fetch(new URL('/resume.js', scene.server.url));
  assert.equal(await answer.text(), read('fanfare-resume.js'));
});
