// The one timer of pusher-js that would outlive its test.
//
// When a server has closed a connection for good, pusher-js for Node closes the socket below once more. That starts
// 30 s of waiting for an answer which has come already, and the process of the tests would sit them out.

/** What the WebSocket library inside pusher-js waits for the other side of a close, in milliseconds. */
const CLOSE_TIMEOUT = 30_000;

const { setTimeout: start } = globalThis;

globalThis.setTimeout = (callback, delay, ...rest) => {
  const timer = start(callback, delay, ...rest);
  if (delay === CLOSE_TIMEOUT) timer.unref();
  return timer;
};
