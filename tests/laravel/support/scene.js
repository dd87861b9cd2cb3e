// Fanfare, the Laravel application, and stock Echo for its users: the start of every test here.
import { APP, appWith } from '../../e2e/support/fanfare.js';
import { Scene, test as e2eTest } from '../../e2e/support/scene.js';
import { Laravel, authorizedAs } from './laravel.js';
import { freePort } from './processes.js';
import { Redis } from './redis.js';

/** The lines that a new app of Fanfare prints for `.env`. */
export const pusherEnv = ({ host, port }, changes = {}) => ({
  BROADCAST_DRIVER: 'pusher',
  PUSHER_APP_ID: APP.id,
  PUSHER_APP_KEY: APP.key,
  PUSHER_APP_SECRET: APP.secret,
  PUSHER_HOST: host,
  PUSHER_PORT: port,
  PUSHER_SCHEME: 'http',
  ...changes,
});

const apps = new WeakMap();

/** A test as Node runs it; a failure prints the logs of the application and the server. */
export function test(name, body) {
  e2eTest(name, async (t) => {
    try {
      await body(t);
    } catch (error) {
      t.diagnostic(`what the application logged:\n${apps.get(t)?.log ?? '(there is none)'}`);
      throw error;
    }
  });
}

/** Starts the application, stopped when the test ends. */
export async function startLaravel(t, options) {
  const app = await Laravel.start(options);
  apps.set(t, app);
  t.after(() => app.stop());
  return app;
}

/** The setting by which Fanfare asks the application on this port for authorization. */
const asking = (port, path) => `authorization = { url = "http://127.0.0.1:${port}${path}" }`;

/** The route that identifies users by a bearer token. */
const BY_TOKEN = '/api/broadcasting/auth';

/**
 * Fanfare and the application with its `pusher` driver, which authorizes channels itself; with `asks`,
 * Fanfare can ask the application, too.
 */
export async function openPusher(t, { asks = false } = {}) {
  const port = await freePort();
  const config = appWith('client_events = true', ...(asks ? [asking(port, BY_TOKEN)] : []));
  const scene = await Scene.open(t, { config });
  scene.app = await startLaravel(t, { port, env: pusherEnv(scene.server) });
  scene.as = (user, options) => scene.echo({ ...authorizedAs(user, scene.app), ...options });
  return scene;
}

/** Laravel's default prefix in Redis, for an application called Laravel. */
export const DEFAULT_PREFIX = 'laravel_database_';

/**
 * Fanfare, a Redis, and the application with its `redis` driver: events come from Redis, and Fanfare asks the
 * application for authorization, at `authorizedAt`. `prefix` is the value in `.env`, or nothing; `heard` is
 * the prefix in Fanfare's settings.
 */
export async function openRedis(t, options = {}) {
  const { client = 'phpredis', prefix, heard = prefix ?? DEFAULT_PREFIX, authorizedAt = BY_TOKEN } = options;
  const redis = await Redis.start();
  t.after(() => redis.stop());
  const port = await freePort();
  const config = appWith(
    'client_events = true',
    `redis_feed = { url = "${redis.url}", prefix = "${heard}" }`,
    asking(port, authorizedAt),
  );
  const scene = await Scene.open(t, { config });
  await redis.listenedTo();
  const env = { BROADCAST_DRIVER: 'redis', REDIS_PORT: redis.port, REDIS_CLIENT: client };
  if (prefix !== undefined) env.REDIS_PREFIX = prefix;
  scene.redis = redis;
  scene.app = await startLaravel(t, { port, env });
  scene.as = (user, options) => scene.echo({ ...authorizedBy(scene.server, user), ...options });
  return scene;
}

/** The options with which Fanfare, which asks the application, authorizes Echo as this user. */
export const authorizedBy = (server, user) => ({
  ...authorizedAs(user, { url: '' }),
  authEndpoint: `${server.url.origin}/app/${APP.key}/auth`,
});
