// pusher-js in Chromium with the add-on that the server has for pages: connections are cut, and no event is lost or doubled.
import assert from 'node:assert/strict';

import { badNetwork, startCutter } from '../e2e/support/cutting.js';
import { APP, appWith } from '../e2e/support/fanfare.js';
import { Publisher, judge } from '../e2e/support/resume.js';
import { Scene, test } from '../e2e/support/scene.js';
import { until } from '../e2e/support/waiting.js';
import { openPage } from './support/page.js';

const IS_LONG = process.env.E2E_LONG !== undefined;
const CHANNELS = ['news', 'talk', 'private-orders'];
// What is kept is kept on one node; what has `tls` in it is no pair.
const RESUMING = appWith('resume_seconds = 60', 'force_tls = false');

/** Runs in the page: as many clients as there might be tabs. */
async function counting({ key, ports, options, channels }, report) {
  const clients = ports.map(() => ({ got: {}, resumed: [] }));
  let [subscribed, lasts] = [0, 0];
  const all = ports.length * channels.length;
  clients.forEach(({ got, resumed }, place) => {
    const pusher = new Pusher(key, { ...options, wsPort: ports[place], httpPort: ports[place] });
    fanfareResume(pusher, (...answer) => resumed.push(answer));
    for (const name of channels) {
      got[name] = [];
      const channel = pusher.subscribe(name);
      channel.bind('pusher:subscription_succeeded', () => ++subscribed === all && report({ subscribed }));
      channel.bind('e', ({ n, last }) => {
        got[name].push(n);
        if (last && ++lasts === all) report({ clients });
      });
    }
  });
}

/** A page whose clients each have a proxy of their own, and count on all channels. */
async function open(t, version, tabs, more = {}) {
  const scene = await Scene.open(t, { config: RESUMING });
  const cutters = await Promise.all(Array.from({ length: tabs }, () => startCutter(t, scene.server)));
  const common = { cluster: 'mt1', wsHost: '127.0.0.1', httpHost: '127.0.0.1', forceTLS: false, authEndpoint: '/auth' };
  const options = { ...common, enabledTransports: ['ws'], ...more };
  const page = await openPage(t, {
    scripts: [`${version}/dist/web/pusher.js`, `${scene.server.url}resume.js`],
    body: counting,
    args: { key: APP.key, ports: cutters.map(({ port }) => port), options, channels: CHANNELS },
    authorization: scene.authorization.endpoint(),
  });
  assert.deepEqual(await page.next(), { subscribed: tabs * CHANNELS.length });
  const publisher = new Publisher(scene.sdk, CHANNELS, []);
  return { scene, cutters, page, publisher };
}

/** Ends the publishing; every client of the page has got all events. */
async function expectAll({ page, publisher }) {
  await publisher.stop();
  for (const name of CHANNELS) await publisher.publishLast(name);
  const { clients } = await page.next();
  judge(publisher, clients.map((client, place) => ({ name: `client ${place}`, sockets: new Set(), ...client })));
  for (const { resumed } of clients) {
    assert.ok(resumed.length > 0 && resumed.every(([, { complete }]) => complete), JSON.stringify(resumed));
  }
}

test('res_005 res_007 a browser with three clients that are cut at random frames', async (t) => {
  const opened = await open(t, 'pusher-js', 3);
  const plan = badNetwork(7);
  for (const cutter of opened.cutters) {
    cutter.planBy(plan);
    cutter.cut();
  }
  const cuts = IS_LONG ? 16 : 3;
  await until(() => opened.cutters.every(({ connections }) => connections > cuts), 'all cuts', 55_000);
  await opened.publisher.stop();
  for (const cutter of opened.cutters) cutter.heal();
  await expectAll(opened);
});

test('res_023 a browser with pusher-js 7, which is closed by close frames', async (t) => {
  const opened = await open(t, 'pusher-js-7', 1);
  for (let cut = 1; cut <= 3; cut++) {
    opened.cutters[0].lose();
    await new Promise((resolve) => setTimeout(resolve, 60));
    opened.cutters[0].cut(1001);
    const all = { complete: 'true' };
    const answered = async () => (await opened.scene.server.metric('fanfare_resumes_total', all)) === cut * CHANNELS.length;
    await until(answered, 'the answers on all channels');
  }
  await expectAll(opened);
});
