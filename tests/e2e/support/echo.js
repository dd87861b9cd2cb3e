// Listening with Laravel Echo, whose callbacks get no event names.
import { Inbox, subscribed } from './waiting.js';

/** Collects the arguments of the callback given to `bind`; with `all`, all arguments of each call. */
export function inbox(name, bind, { all = false } = {}) {
  const collected = new Inbox(name);
  bind((...items) => collected.put(all ? items : items[0]));
  return collected;
}

/** Resolves when the Echo channel is subscribed. */
export const subscription = (channel) => subscribed(channel.subscription);
