// A server, an application and its clients: the start of every test.
import nodeTest from 'node:test';

import Echo from 'laravel-echo';
import PusherSdk from 'pusher';
import Pusher from 'pusher-js';

import './timers.js';
import { startAuthorization } from './authorization.js';
import { APP, Fanfare } from './fanfare.js';
import { reasonToSkip, startServer } from './pair.js';
import { inState, signIn } from './waiting.js';

export const ENCRYPTION_KEY = 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';

/** The stock Node SDK for the server's app; `changes` replaces options. */
export function sdkFor(server, changes = {}) {
  return new PusherSdk({
    appId: APP.id,
    key: APP.key,
    secret: APP.secret,
    host: server.host,
    port: String(server.port),
    useTLS: false,
    encryptionMasterKeyBase64: ENCRYPTION_KEY,
    ...changes,
  });
}

/** The scene of each running test. */
const scenes = new WeakMap();

/** A test as Node runs it; a failure prints the server's log. */
export function test(name, body) {
  nodeTest(name, { timeout: 60_000, skip: reasonToSkip(name) }, async (t) => {
    try {
      await body(t);
    } catch (error) {
      t.diagnostic(`what the server logged:\n${scenes.get(t)?.server?.stderr ?? '(there is none)'}`);
      throw error;
    }
  });
}

export class Scene {
  #clients = [];
  #endpoints = [];

  /** Starts a server, stopped when the test ends, after all its clients are disconnected. */
  static async open(t, options) {
    const scene = new Scene();
    scenes.set(t, scene);
    t.after(() => scene.#close());
    scene.server = await startServer(options);
    scene.sdk = sdkFor(scene.server);
    scene.authorization = await scene.authorizationBy(scene.sdk);
    return scene;
  }

  async #close() {
    for (const client of this.#clients) client.disconnect();
    for (const endpoint of this.#endpoints) await endpoint.stop();
    if (this.server) await this.server.stop();
  }

  /** An authorization endpoint that signs with the credentials of `sdk`. */
  async authorizationBy(sdk) {
    const endpoint = await startAuthorization(sdk);
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  /**
   * Options of every client here: `user` is the user for its authorization endpoint, `signsInAs` the user for
   * the sign-in endpoint. A client with an `authEndpoint` is authorized there.
   */
  #options({ user, signsInAs, authEndpoint }) {
    const channelAuthorization = { endpoint: this.authorization.endpoint(user) };
    const signIn = signsInAs && { userAuthentication: { endpoint: this.authorization.userEndpoint(signsInAs) } };
    return {
      ...signIn,
      wsHost: this.server.host,
      wsPort: this.server.port,
      forceTLS: false,
      enabledTransports: ['ws'],
      cluster: 'mt1',
      ...(authEndpoint ? { authEndpoint } : { channelAuthorization }),
    };
  }

  /** A pusher-js client that is connecting. */
  connecting({ user, signsInAs, key = APP.key, ...options } = {}) {
    const pusher = new Pusher(key, { ...this.#options({ user, signsInAs }), ...options });
    this.#clients.push(pusher);
    return pusher;
  }

  /** A connected pusher-js client. */
  async client(options) {
    const pusher = this.connecting(options);
    await inState(pusher, 'connected');
    return pusher;
  }

  /** A client signed in as this user (an object with `id`), subscribed to the user's messages. */
  async signedIn(signsInAs, options) {
    const pusher = await this.client({ signsInAs, ...options });
    await signIn(pusher);
    return pusher;
  }

  /** A connected Laravel Echo with pusher-js below; `broadcaster` is `pusher` or `reverb`. */
  async echo({ broadcaster = 'pusher', user, signsInAs, authEndpoint, ...options } = {}) {
    const own = this.#options({ user, signsInAs, authEndpoint });
    const echo = new Echo({ broadcaster, Pusher, key: APP.key, ...own, ...options });
    this.#clients.push(echo);
    await inState(echo.connector.pusher, 'connected');
    return echo;
  }

  /** Has a client made elsewhere disconnected at the end. */
  adopt(client) {
    this.#clients.push(client);
    return client;
  }

  /** Stops the server, then starts another one at the same address. */
  async restartInPlace() {
    const { address } = this.server;
    await this.server.stop();
    this.server = undefined;
    await this.startNext({ listen: address });
  }

  /** Starts another server for the scene; returns the earlier one, still running. */
  async startNext(options) {
    const before = this.server;
    this.server = await Fanfare.start(options);
    this.sdk = sdkFor(this.server);
    return before;
  }
}
