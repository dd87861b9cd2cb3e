// Listening with Laravel Echo, whose methods take callbacks and tell no names.
import { Inbox, subscribed } from './waiting.js';

/** Collects what `bind` hands to the callback it is given; with `all`, all arguments of each call. */
export function inbox(name, bind, { all = false } = {}) {
  const collected = new Inbox(name);
  bind((...items) => collected.put(all ? items : items[0]));
  return collected;
}

/** Resolves when the Echo channel is subscribed. */
export const subscription = (channel) => subscribed(channel.subscription);
