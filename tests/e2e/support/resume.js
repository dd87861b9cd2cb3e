// Clients that count what they get while their connections are cut, and who publishes meanwhile.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

import asModule from '../../../clients/resume/fanfare-resume.mjs';

import { Inbox, subscribed, until } from './waiting.js';

export const PACKAGE = fileURLToPath(new URL('../../../clients/resume/', import.meta.url));

/** The text of a file of the package. */
export const read = (name) => readFileSync(path.join(PACKAGE, name), 'utf8');

const asCommon = createRequire(import.meta.url)(path.join(PACKAGE, 'fanfare-resume.cjs'));

/** The function, from each of the files in which pages get it. */
export const FORMS = {
  'ES module': asModule,
  CommonJS: asCommon,
  script: vm.runInThisContext(`${read('fanfare-resume.js')};fanfareResume`),
};

/** Notes what a client gets on channels, by a pusher-js client or an Echo. */
export class Listener {
  /** By channel, the numbers of the events `e`. */
  got = {};
  resumed = [];
  /** All socket ids that the client has ever had. */
  sockets = new Set();

  constructor(name, pusher, install) {
    Object.assign(this, { name, pusher });
    this.answers = new Inbox(`an answer to ${name}`);
    install(pusher, (channel, resumed) => {
      this.resumed.push([channel, resumed]);
      this.answers.put([channel, resumed]);
    });
    pusher.connection.bind('connected', ({ socket_id: id }) => this.sockets.add(id));
  }

  /** Listens on a channel of pusher-js, which is subscribed when the promise resolves. */
  async listen(name) {
    const got = (this.got[name] ??= []);
    const channel = this.pusher.subscribe(name);
    channel.bind('e', ({ n }) => got.push(n));
    await subscribed(channel);
  }
}

/** Publishes on channels at a steady rate, every seventh event to all but one of the connections. */
export class Publisher {
  /** By channel, the socket that each event left out. */
  published = {};
  #isOver = false;

  constructor(sdk, channels, listeners) {
    Object.assign(this, { sdk, channels, listeners });
    for (const channel of channels) this.published[channel] = [];
    this.ended = this.#run();
  }

  async #run() {
    const start = Date.now();
    for (let round = 0; !this.#isOver; round++) {
      await Promise.all(this.channels.map((channel) => this.publish(channel, 10)));
      await new Promise((resolve) => setTimeout(resolve, start + 40 * (round + 1) - Date.now()));
    }
  }

  /** Publishes the next events of a channel. */
  async publish(channel, count) {
    const events = this.published[channel];
    const batch = Array.from({ length: count }, () => {
      const n = events.length;
      const listener = this.listeners[Math.floor(n / 7) % this.listeners.length];
      const except = n % 7 === 3 ? (listener?.pusher.connection.socket_id ?? '1.1') : undefined;
      events.push(except);
      return { channel, name: 'e', data: { n }, ...(except && { socket_id: except }) };
    });
    await this.sdk.triggerBatch(batch);
  }

  /** Publishes one more event, which says that it is the last, to everybody; gives its number. */
  async publishLast(channel) {
    const n = this.published[channel].push(undefined) - 1;
    await this.sdk.trigger(channel, 'e', { n, last: true });
    return n;
  }

  async stop() {
    this.#isOver = true;
    await this.ended;
  }
}

/** Waits until everybody has got the last events; then nobody may lack one or have one twice, and order is kept. */
export async function expectAll(publisher) {
  const { channels, listeners } = publisher;
  for (const channel of channels) {
    const n = await publisher.publishLast(channel);
    for (const { name, got } of listeners) {
      await until(() => got[channel].includes(n), `the last event on ${channel} to ${name}`);
    }
  }
  judge(publisher, listeners);
}

/** Fails if one of these has not got each event once and in order. */
export function judge({ published, channels }, listeners) {
  for (const { name, got, sockets, resumed } of listeners) {
    for (const channel of channels) {
      const numbers = got[channel];
      const disordered = numbers.filter((n, place) => place > 0 && n <= numbers[place - 1]);
      const has = new Set(numbers);
      const lost = published[channel].flatMap((except, n) => (has.has(n) || sockets.has(except) ? [] : [n]));
      if (disordered.length + lost.length === 0) continue;
      const shown = (some) => `${some.length} (${some.slice(0, 5)}…)`;
      const answers = JSON.stringify(resumed.filter(([of]) => of === channel).map(([, answer]) => answer));
      assert.fail(`${name} on ${channel}, of ${numbers.length}: ${shown(lost)} lost, ${shown(disordered)} twice or late; ${answers}`);
    }
  }
}
