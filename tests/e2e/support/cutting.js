// A proxy that loses connections as networks do: in the middle of a stream of frames, the last of which never arrive.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** A generator of numbers from 0 to below 1, the same for the same seed. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A network that fails after few frames or many, and loses some before; the server believes some connections alive. */
export function badNetwork(seed) {
  const random = seeded(seed);
  return () => ({
    // What was missed comes at once: longer connections are cut by time, or pages would fall back further each time.
    ...(random() < 0.3 ? { arrive: 1 + Math.floor(random() * 6) } : { lasts: 200 + random() * 1000 }),
    lost: Math.floor(random() * 40),
    staysOpen: random() < 0.4,
  });
}

/** Length of the first WebSocket frame from a server, if all of the frame is there. */
function frameIn(bytes) {
  if (bytes.length < 2) return undefined;
  const short = bytes[1] & 0x7f;
  const head = { 126: 4, 127: 10 }[short] ?? 2;
  if (bytes.length < head) return undefined;
  const length = { 2: () => short, 4: () => bytes.readUInt16BE(2), 10: () => Number(bytes.readBigUInt64BE(2)) }[head]();
  return bytes.length < head + length ? undefined : head + length;
}

/** One connection through the proxy. */
class Passage {
  #rest = Buffer.alloc(0);
  #isOpen = false;
  #isLosing = false;

  constructor(client, upstream, plan) {
    Object.assign(this, { client, upstream, plan, frames: 0 });
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.on('data', (bytes) => upstream.writable && upstream.write(bytes));
    client.on('close', () => plan?.staysOpen || upstream.destroy());
    upstream.on('data', (bytes) => this.#take(bytes));
    upstream.on('close', () => client.end());
    if (plan?.lasts) {
      const timer = setTimeout(() => this.plan && this.#loseNext(), plan.lasts);
      client.on('close', () => clearTimeout(timer));
    }
  }

  /** After the frame that has just come, as many are lost as planned. */
  #loseNext() {
    this.plan.arrive = this.frames;
    this.lose();
    if (this.plan.lost === 0) this.cut();
  }

  /** Frames from now on do not arrive. */
  lose() {
    this.#isLosing = true;
  }

  /** Lasts from now on, unless frames are being lost already. */
  heal() {
    if (this.#isLosing) this.cut();
    else this.plan = undefined;
  }

  /** Ends the connection without a word; with `code`, by a close frame. */
  cut(code) {
    this.#isLosing = true;
    // Not `destroy`: a reset would take back what has arrived already.
    this.client.end(code && Buffer.from([0x88, 2, code >> 8, code & 0xff]));
    if (!this.plan?.staysOpen) this.upstream.destroy();
  }

  #take(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (!this.#isOpen) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.client.write(this.#rest.subarray(0, end + 4));
      this.#rest = this.#rest.subarray(end + 4);
      this.#isOpen = true;
    }
    for (let length; (length = frameIn(this.#rest)) !== undefined; ) {
      this.#pass(this.#rest.subarray(0, length));
      this.#rest = this.#rest.subarray(length);
    }
  }

  #pass(frame) {
    if (!this.#isLosing && this.client.writable) this.client.write(frame);
    this.frames++;
    if (!this.plan) return;
    if (this.frames === this.plan.arrive) this.#loseNext();
    else if (this.frames === this.plan.arrive + this.plan.lost) this.cut();
  }
}

/**
 * Stands between clients and `server`. `plan`, asked for each new connection, says how many frames arrive, or for how many
 * milliseconds the connection `lasts`; how many more frames are `lost` before the connection is cut; and whether the server's end then
 * `staysOpen`. Without a plan the connection lasts.
 */
export async function startCutter(t, server, plan = () => undefined) {
  const passages = new Set();
  let held;
  const admit = (client) => passages.add(new Passage(client, connect(server.port, server.host), plan()));
  const proxy = createServer((client) => (held ? held.push(client) : admit(client)));
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => {
    proxy.close();
    for (const client of held ?? []) client.destroy();
    for (const { client, upstream } of passages) for (const socket of [client, upstream]) socket.destroy();
  });
  const open = () => [...passages].filter(({ client }) => !client.destroyed);
  return {
    port: proxy.address().port,
    /** Number of connections so far. */
    get connections() {
      return passages.size;
    },
    /** From now on, nothing arrives on the connections that there are. */
    lose: () => open().forEach((passage) => passage.lose()),
    /** Ends the connections that there are; with `code`, by a close frame. */
    cut: (code) => open().forEach((passage) => passage.cut(code)),
    /** The network is good from now on: what is being lost ends, everything else lasts. */
    heal() {
      plan = () => undefined;
      for (const passage of open()) passage.heal();
    },
    /** New connections wait until `release`. */
    hold: () => (held = []),
    release() {
      const waiting = held;
      held = undefined;
      for (const client of waiting) admit(client);
    },
    /** Which plan new connections have. */
    planBy: (next) => (plan = next),
  };
}
