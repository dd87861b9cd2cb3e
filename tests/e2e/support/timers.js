// The only timer of pusher-js that would outlive its test.
//
// When a server has closed a connection for good, pusher-js for Node closes the inner socket once more. That
// close waits 30 s for an answer that has already come, and the process of the tests would wait as well.

/** Timeout of the WebSocket library inside pusher-js for the peer's close, in milliseconds. */
const CLOSE_TIMEOUT = 30_000;

const { setTimeout: start } = globalThis;

globalThis.setTimeout = (callback, delay, ...rest) => {
  const timer = start(callback, delay, ...rest);
  if (delay === CLOSE_TIMEOUT) timer.unref();
  return timer;
};
