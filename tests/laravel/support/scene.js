// Fanfare, the Laravel application, and stock Echo for its users: what every test here starts from.
import { APP, appWith } from '../../e2e/support/fanfare.js';
import { Scene, test as e2eTest } from '../../e2e/support/scene.js';
import { Laravel, authorizedAs } from './laravel.js';

export const CONFIG = appWith('client_events = true');

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

/** A test as Node runs it; if it fails, what the application and the server logged is shown. */
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

/** Starts the application, which is stopped when the test ends. */
export async function startLaravel(t, options) {
  const app = await Laravel.start(options);
  apps.set(t, app);
  t.after(() => app.stop());
  return app;
}

/** Fanfare and the application on its `pusher` driver, which authorizes channels by itself. */
export async function openPusher(t, { config = CONFIG } = {}) {
  const scene = await Scene.open(t, { config });
  scene.app = await startLaravel(t, { env: pusherEnv(scene.server) });
  scene.as = (user, options) => scene.echo({ ...authorizedAs(user, scene.app), ...options });
  return scene;
}
