// Stock clients over wss and https, with a certificate of a private CA, replaced while connected.
import assert from 'node:assert/strict';

import { shell } from './support/docs.js';
import { ONE_APP } from './support/fanfare.js';
import { Scene, test } from './support/scene.js';
import { Authority, clientProcess, shownAt } from './support/tls.js';
import { until } from './support/waiting.js';

/** Takes the process's messages until all of `wanted` came, in any order; states are kept apart. */
async function hear(client, wanted) {
  const open = wanted.map((message) => JSON.stringify(message));
  while (open.length > 0) {
    const message = await client.said.next();
    if ('state' in message) continue;
    const at = open.indexOf(JSON.stringify(message));
    assert.notEqual(at, -1, `not awaited: ${JSON.stringify(message)}; awaited: ${open}`);
    open.splice(at, 1);
  }
}

const heard = (data) => [
  { published: 200 },
  { heard: data, by: 'pusher-js' },
  { heard: data, by: 'Echo' },
];

const ready = [{ subscribed: 'pusher-js' }, { subscribed: 'Echo' }];

test('pusher-js, Echo and the SDK work over TLS with a private CA, and stay when the certificate is replaced', async (t) => {
  const authority = await Authority.make(t);
  const { server } = await Scene.open(t, { config: `${authority.settings}${ONE_APP}force_tls = true\n` });
  const client = clientProcess(t, { url: server.tlsUrl, ca: authority.file('ca.pem') });
  await hear(client, ready);
  client.publish({ number: 1 });
  await hear(client, heard({ number: 1 }));

  const before = await shownAt(server.tlsUrl.port);
  await authority.issue();
  await until(async () => (await shownAt(server.tlsUrl.port)) !== before, 'the new certificate');
  client.publish({ number: 2 });
  await hear(client, heard({ number: 2 }));
  const states = client.said.all.filter((message) => 'state' in message).map(({ state }) => state);
  assert.deepEqual(states, ['connecting', 'connected'].slice(-states.length), 'it never connected again');

  const newcomer = clientProcess(t, { url: server.tlsUrl, ca: authority.file('ca.pem') });
  await hear(newcomer, ready);
});

test('a client that does not trust the CA never connects, and a back end is told why', async (t) => {
  const authority = await Authority.make(t);
  const { server } = await Scene.open(t, { config: `${authority.settings}${ONE_APP}` });
  const stranger = clientProcess(t, { url: server.tlsUrl });
  stranger.publish({ number: 1 });
  const said = [];
  while (!said.some(({ failed }) => failed) || !said.some(({ state }) => state === 'unavailable'))
    said.push(await stranger.said.next());
  assert.match(said.find(({ failed }) => failed).failed, /certificate/i);
  assert.ok(!said.some(({ state }) => state === 'connected'));
  assert.equal(await server.metric('fanfare_connections'), 0);
});

test('a certificate made as the page says satisfies strict clients, the doctor and the commands of the page', async (t) => {
  const authority = await Authority.make(t);
  assert.match(await shell(authority.verify, authority.directory), /fullchain\.pem: OK/);
  const { server } = await Scene.open(t, { config: `${authority.settings}${ONE_APP}` });
  const here = (command) => shell(command.replaceAll('6443', server.tlsUrl.port), authority.directory);
  assert.equal(await here('curl -fsS --cacert ca.pem https://localhost:6443/up'), '{"health":"OK"}');
  assert.match(await here(authority.show), /subject=CN = localhost\nnotAfter=/);
  const doctor = await here('fanfare doctor --url wss://localhost:6443 --ca-file ca.pem || true');
  assert.match(doctor, /✓ TLS/);
});
