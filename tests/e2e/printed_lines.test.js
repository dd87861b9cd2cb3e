// The lines that `fanfare` prints to be pasted run here unchanged.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import Echo from 'laravel-echo';
import PusherSdk from 'pusher';
import Pusher from 'pusher-js';

import { BINARY, appWith } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { inboxOf, inState, subscribed, until } from './support/waiting.js';

/** The environment lines of a Laravel `.env`, with `${OTHER}` filled in. */
function environmentIn(text) {
  const lines = [...text.matchAll(/^\s*([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name, value]) => [name, value]);
  const plain = Object.fromEntries(lines.map(([name, value]) => [name, value.trim().replace(/^"(.*)"$/, '$1')]));
  const filled = (value) => value.replace(/\$\{(\w+)\}/g, (_, name) => plain[name]);
  return Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, filled(value)]));
}

/** The text of `new NAME(…)`, up to its closing parenthesis; undefined if missing (yet). */
function snippetIn(text, name) {
  const start = text.indexOf(`new ${name}(`);
  if (start < 0) return undefined;
  let depth = 0;
  for (let end = start; end < text.length; end++) {
    if (text[end] === '(') depth++;
    if (text[end] === ')' && --depth === 0) return text.slice(start, end + 1);
  }
  return undefined;
}

/** Runs a snippet with its imports, its build tool's environment and the page's window. */
function run(snippet, environment, imports = { Pusher, Echo }) {
  const code = snippet.replaceAll('import.meta.env', 'environment');
  const run = new Function('Pusher', 'Echo', 'environment', 'window', `return ${code};`);
  return run(imports.Pusher, imports.Echo, environment, { Pusher });
}

/** Keeps what a page gives its client. */
class Given {
  constructor(...given) {
    this.options = given.pop();
    this.key = given[0] ?? this.options.key;
  }
}

function sdkFrom(environment, family = 'PUSHER') {
  const of = (name) => environment[`${family}_${name}`];
  return new PusherSdk({
    appId: of('APP_ID'),
    key: of('APP_KEY'),
    secret: of('APP_SECRET'),
    host: of('HOST'),
    port: of('PORT'),
    scheme: of('SCHEME'),
    useTLS: of('SCHEME') === 'https',
  });
}

/** The printed blocks, each with its heading; blocks are separated by empty lines. */
const blocksIn = (text) => text.split(/\n\n+/).map((block) => `${block.trim()}\n`);
const isJavaScript = (block) => block.startsWith('//');

/** The printed block whose heading contains this. */
function blockOf(text, heading) {
  const found = blocksIn(text).find((block) => block.split('\n')[0].includes(heading));
  assert.ok(found, `no block on ${heading} in\n${text}`);
  return found;
}

/** A server without any configuration, once all lines are printed. */
async function unconfigured(t) {
  const scene = await Scene.open(t, { config: '' });
  const printed = () => scene.server.stdout;
  await until(() => printed().includes('doctor'), 'all lines');
  return { scene, text: printed(), environment: environmentIn(printed()) };
}

/** The printed page of a server without configuration, subscribed; and the events that it hears. */
async function printedPage(t, channelName, event) {
  const { scene, text, environment } = await unconfigured(t);
  const pusher = scene.adopt(run(snippetIn(text, 'Pusher'), environment));
  await inState(pusher, 'connected');
  const channel = pusher.subscribe(channelName);
  const events = inboxOf(channel, event);
  await subscribed(channel);
  return { text, environment, events };
}

test('the pusher-js snippet connects and hears what the printed environment publishes', async (t) => {
  const { environment, events } = await printedPage(t, 'news', 'hello');
  await sdkFrom(environment).trigger('news', 'hello', { from: 'env' });
  assert.deepEqual(await events.next(), { from: 'env' });
});

test('fallback_003 the printed pages get through where WebSockets are blocked', async (t) => {
  const { scene, text, environment } = await unconfigured(t);
  for (const [name, transport] of [
    ['Pusher', 'xhr_streaming'],
    ['Echo', 'xhr_polling'],
  ]) {
    const { key, options } = run(snippetIn(text, name), environment, { Pusher: Given, Echo: Given });
    const pusher = scene.adopt(new Pusher(key, { ...options, enabledTransports: [transport] }));
    await inState(pusher, 'connected', 40_000);
    assert.equal(pusher.connection.connection.transport.name, transport);
  }
});

test('the Echo snippet connects and hears what the printed environment publishes', async (t) => {
  const { scene, text, environment } = await unconfigured(t);
  // Echo looks for pusher-js in the page's window.
  globalThis.window = { Pusher };
  t.after(() => delete globalThis.window);
  const echo = scene.adopt(run(snippetIn(text, 'Echo'), environment));
  await inState(echo.connector.pusher, 'connected');
  const channel = echo.channel('orders');
  const events = inboxOf(channel.subscription, 'App\\Events\\OrderShipped');
  await subscribed(channel.subscription);
  await sdkFrom(environment).trigger('orders', 'App\\Events\\OrderShipped', { id: 7 });
  assert.deepEqual(await events.next(), { id: 7 });
});

test('the environment has everything that Laravel and Vite ask for', async (t) => {
  const { scene, environment } = await unconfigured(t);
  assert.equal(environment.PUSHER_HOST, scene.server.host);
  assert.equal(environment.PUSHER_PORT, String(scene.server.port));
  assert.equal(environment.PUSHER_SCHEME, 'http');
  assert.match(environment.PUSHER_APP_ID, /^\d+$/);
  for (const name of ['APP_KEY', 'HOST', 'PORT', 'SCHEME', 'APP_CLUSTER']) {
    assert.ok(environment[`PUSHER_${name}`], `PUSHER_${name}`);
    assert.equal(environment[`VITE_PUSHER_${name}`], environment[`PUSHER_${name}`]);
  }
});

test('the lines for the reverb driver have everything, and an SDK works with them', async (t) => {
  const { scene, text } = await unconfigured(t);
  const environment = environmentIn(blockOf(text, 'driver reverb'));
  assert.equal(environment.BROADCAST_CONNECTION, 'reverb');
  assert.equal(environment.REVERB_PORT, String(scene.server.port));
  for (const name of ['APP_KEY', 'HOST', 'PORT', 'SCHEME']) {
    assert.ok(environment[`REVERB_${name}`], `REVERB_${name}`);
    assert.equal(environment[`VITE_REVERB_${name}`], environment[`REVERB_${name}`]);
  }
  assert.ok(!Object.keys(environment).some((name) => name.includes('PUSHER')));
  const answer = await sdkFrom(environment, 'REVERB').trigger('news', 'hello', {});
  assert.equal(answer.status, 200);
});

test('each block of JavaScript is that with its heading, and each other block is for a shell or a .env', async (t) => {
  const { text } = await unconfigured(t);
  const blocks = blocksIn(text).slice(1);
  const scripts = blocks.filter(isJavaScript);
  assert.equal(scripts.length, 3, text);
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-e2e-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  for (const [number, block] of scripts.entries()) {
    const file = path.join(directory, `${number}.${block.includes('import Echo') ? 'mjs' : 'cjs'}`);
    await writeFile(file, block);
    await promisify(execFile)(process.execPath, ['--check', file]);
  }
  const others = blocks.filter((block) => !isJavaScript(block) && !block.startsWith('Only this machine'));
  for (const block of others) assert.match(block, /^#/);
});

test('the printed command sends the event that the printed page logs', async (t) => {
  const { text, events } = await printedPage(t, 'my-channel', 'my-event');
  const said = await promisify(execFile)('sh', ['-c', blockOf(text, 'A test event')], { env: { PATH: process.env.PATH } });
  assert.deepEqual(await events.next(), { hello: 'world' });
  assert.match(said.stdout, /1 connection is subscribed/);
});

test('the printed doctor examines this very server', async (t) => {
  const { scene, text } = await unconfigured(t);
  const said = await promisify(execFile)('sh', ['-c', blockOf(text, 'not arrive')], { env: { PATH: process.env.PATH } });
  assert.match(said.stdout, new RegExp(`TCP +127.0.0.1:${scene.server.port} `));
  assert.match(said.stdout, /✓ publish and receive/);
});

test('the printed lines of a back end publish what the printed page hears', async (t) => {
  const { text, events } = await printedPage(t, 'my-channel', 'my-event');
  new Function('require', blockOf(text, 'Back end'))(createRequire(import.meta.url));
  assert.deepEqual(await events.next(), { hello: 'world' });
});

test('the lines of an app that takes TLS only force it', async (t) => {
  const scene = await Scene.open(t, { config: appWith('force_tls = true') });
  await until(() => scene.server.stdout.includes('doctor'), 'all lines');
  assert.match(scene.server.stdout, /forceTLS: true/);
  assert.doesNotMatch(scene.server.stdout, /forceTLS: false/);
});

test('fanfare env prints the same credentials as the server that keeps them', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-e2e-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const options = { cwd: directory, env: { PATH: process.env.PATH } };
  const printed = async (...more) => environmentIn((await promisify(execFile)(BINARY, ['env', ...more], options)).stdout);
  await assert.rejects(printed(), /--create-database/, 'no database is made by the way');
  const [first, second] = [await printed('--create-database'), await printed()];
  assert.ok(first.PUSHER_APP_SECRET);
  assert.deepEqual(first, second);
});

test('bad configuration is status 64 and one line for each fault', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-e2e-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const env = { PATH: process.env.PATH, FANFARE__LIMITS__BATCH: 'ten', FANFARE__LIMITS__EVENT_BYTE: '1' };
  const error = await promisify(execFile)(BINARY, ['serve', '--check'], { cwd: directory, env }).then(
    () => assert.fail('was accepted'),
    (failure) => failure,
  );
  assert.equal(error.code, 64);
  const faults = error.stderr.split('\n').filter((line) => line.startsWith('fanfare: fault: '));
  assert.equal(faults.length, 2, error.stderr);
  assert.ok(faults.some((line) => line.includes('ten') && /batch/i.test(line)), error.stderr);
  assert.ok(faults.some((line) => /event_bytes/i.test(line)), 'the right name is suggested');
});
