// Waiting for an observable event, never for a time to pass.
import { settle } from './pair.js';
import assert from 'node:assert/strict';

/** Timeout of every wait, in milliseconds. */
const DEADLINE = 10_000;

/** The promise's value, or a timeout error that names the missing thing. */
export function withDeadline(promise, what, within = DEADLINE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${within} ms`)), within);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Repeats `question` until the answer is true, and gives that answer. */
export async function until(question, what, within = DEADLINE) {
  const end = Date.now() + within;
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${what} did not come within ${within} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Received items in order; `next` waits for the first that was not taken yet. */
export class Inbox {
  #taken = 0;
  #wake = () => {};
  all = [];

  constructor(name) {
    this.name = name;
  }

  put(item) {
    this.all.push(item);
    this.#wake();
  }

  async next(within = DEADLINE) {
    if (this.#taken === this.all.length) {
      const put = new Promise((resolve) => (this.#wake = resolve));
      await withDeadline(put, this.name, within);
    }
    return this.all[this.#taken++];
  }
}

/** Collects the events that a pusher-js channel or connection passes to callbacks of `event`. */
export function inboxOf(target, event) {
  const inbox = new Inbox(`${event} on ${target.name ?? 'the connection'}`);
  target.bind(event, (data) => inbox.put(data));
  return inbox;
}

/** Resolves when pusher-js reports the channel as subscribed; gives presence members. */
export async function subscribed(channel) {
  if (channel.subscribed) return channel.members;
  return withDeadline(
    new Promise((resolve, reject) => {
      channel.bind('pusher:subscription_succeeded', resolve);
      channel.bind('pusher:subscription_error', (error) => reject(new Error(JSON.stringify(error))));
    }),
    `the subscription to ${channel.name}`,
  );
}

/** Signs in, and resolves when the channel for the user's messages is subscribed too. */
export async function signIn(pusher) {
  pusher.signin();
  await signedIn(pusher);
}

/** Resolves when the sign-in in progress is over; fails if it did not succeed. */
export async function signedIn(pusher) {
  await withDeadline(pusher.user.signinDonePromise, 'the end of the sign-in');
  assert.ok(pusher.user.user_data, 'the sign-in did not succeed');
  await subscribed(pusher.user.serverToUserChannel);
}

/**
 * Resolves when the server has processed all commands of this client: commands are processed in order, and what they led
 * to is known on all nodes.
 */
export async function allDone(pusher) {
  await pong(pusher);
  await settle();
  await pong(pusher);
}

async function pong(pusher) {
  const messages = inboxOf(pusher.connection, 'message');
  pusher.send_event('pusher:ping', {});
  while ((await messages.next()).event !== 'pusher:pong');
}

/** Resolves when the connection is in `state`, now or later. */
export async function inState(pusher, state, within = DEADLINE) {
  if (pusher.connection.state === state) return;
  await withDeadline(new Promise((resolve) => pusher.connection.bind(state, resolve)), `the state ${state}`, within);
}

/** Fails if `inbox` gets anything in the next `window` milliseconds. */
export async function staysEmpty(inbox, window) {
  const before = inbox.all.length;
  await new Promise((resolve) => setTimeout(resolve, window));
  assert.deepEqual(inbox.all.slice(before), [], inbox.name);
}
