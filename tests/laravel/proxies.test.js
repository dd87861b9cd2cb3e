// Fanfare and the application behind a proxy with the configurations of docs/behind-….md.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { get as getByTls } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { inbox, subscription } from '../e2e/support/echo.js';
import { APP, appWith } from '../e2e/support/fanfare.js';
import { Scene } from '../e2e/support/scene.js';
import { trustedCertificate } from './support/certificate.js';
import { askingWithCookie, authorizedAs } from './support/laravel.js';
import { freePort } from './support/processes.js';
import { PROXIES, startProxy } from './support/proxies.js';
import { pusherEnv, startLaravel, test } from './support/scene.js';

for (const [name, proxy] of Object.entries(PROXIES)) {
  for (const withTls of [false, true]) {
    for (const withPath of [false, true]) {
      const where = `${withPath ? 'a path of the application' : 'a host of its own'} ${withTls ? 'with TLS' : 'plain'}`;
      test(`${name}, ${where}: pages connect, are authorized, and hear what the application sends`, async (t) => {
        const scene = await open(t, proxy, { withTls, withPath });
        const echo = await scene.echo({ ...authorizedAs('Ann', scene.front), ...scene.options });
        const channels = [echo.channel('orders'), echo.private('orders.1')];
        const inboxes = channels.map((channel) => inbox('event', (put) => channel.listen('OrderShipped', put)));
        await Promise.all(channels.map(subscription));
        // Published through the proxy too: the signature covers the request as Fanfare sees it.
        await scene.app.post('/orders/1/ship');
        for (const shipped of inboxes) assert.equal((await shipped.next()).id, 1);
      });
    }
  }
}

test('nginx, a path of the application with TLS: Fanfare asks it with the cookie that came to its host', async (t) => {
  const scene = await open(t, PROXIES.nginx, { withTls: true, withPath: true });
  const cookie = await scene.app.login('Ann');
  const asking = askingWithCookie(`${scene.front.url}/ws/app/${APP.key}/auth`, cookie);
  const echo = await scene.echo({ ...asking, ...scene.options });
  await subscription(echo.private('orders.1'));
  await assert.rejects(() => subscription(echo.private('orders.2')), /403/);
});

/** The proxy in front of Fanfare and, `withPath`, of the application as well. */
async function open(t, proxy, { withTls, withPath }) {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-proxy-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  // The app requires TLS, which shows that the proxy tells Fanfare how a client connects.
  const appPort = await freePort();
  const config = appWith(
    `force_tls = ${withTls}`,
    `authorization = { url = "http://127.0.0.1:${appPort}/broadcasting/auth" }`,
  );
  const scene = await Scene.open(t, { config });
  const tls = withTls ? await trustedCertificate(directory) : undefined;
  const port = await freePort();
  const prefix = withPath ? '/ws' : '';
  scene.app = await startLaravel(t, {
    port: appPort,
    env: pusherEnv(
      { host: 'localhost', port },
      { PUSHER_SCHEME: withTls ? 'https' : 'http', PUSHER_PATH: withPath ? '/ws/' : '' },
    ),
    ini: tls ? { 'curl.cainfo': tls.certificate } : {},
  });
  const origin = `${withTls ? 'https' : 'http'}://localhost:${port}`;
  const running = await startProxy(proxy, {
    directory: path.join(directory, 'proxy'),
    port,
    tls,
    fanfare: scene.server.address,
    app: withPath ? scene.app.url : undefined,
  });
  t.after(() => running.stop());
  await running.readyWhen(async () => (await statusOf(`${origin}${prefix}/up`)) === 200, 'the proxy');
  scene.front = withPath ? { url: origin } : scene.app;
  const place = { wsHost: 'localhost', wsPort: port, wssPort: port, wsPath: prefix };
  scene.options = { ...place, forceTLS: withTls, enabledTransports: ['ws', 'wss'] };
  return scene;
}

/** The answer to a GET. */
function statusOf(url) {
  return new Promise((resolve, reject) => {
    const ask = url.startsWith('https:') ? getByTls : get;
    ask(url, { agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on('error', reject);
  });
}
