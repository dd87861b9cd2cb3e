// A separate process, because Node reads NODE_EXTRA_CA_CERTS only at the start. Reports events over its
// channel.
import Echo from 'laravel-echo';
import PusherSdk from 'pusher';
import Pusher from 'pusher-js';

import { APP } from './fanfare.js';

const [host, port] = process.argv.slice(2);
const say = (message) => process.send(message);
const options = {
  cluster: 'mt1',
  wsHost: host,
  wssPort: Number(port),
  forceTLS: true,
  enabledTransports: ['ws', 'wss'],
  unavailableTimeout: 1000,
};

const pusher = new Pusher(APP.key, options);
pusher.connection.bind('state_change', ({ current }) => say({ state: current }));
const channel = pusher.subscribe('news');
channel.bind('pusher:subscription_succeeded', () => say({ subscribed: 'pusher-js' }));
channel.bind('e', (data) => say({ heard: data, by: 'pusher-js' }));

const echo = new Echo({ broadcaster: 'reverb', Pusher, key: APP.key, ...options });
echo
  .channel('news')
  .subscribed(() => say({ subscribed: 'Echo' }))
  .listen('.e', (data) => say({ heard: data, by: 'Echo' }));

const sdk = new PusherSdk({ appId: APP.id, key: APP.key, secret: APP.secret, host, port, useTLS: true });
process.on('message', ({ publish }) => {
  sdk.trigger('news', 'e', publish).then(
    ({ status }) => say({ published: status }),
    (error) => say({ failed: String(error.error ?? error) }),
  );
});
