// The console in Chromium: a server with tokens, pages that are watched, and what a reader does on a page.
import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after } from 'node:test';

import { APP, appWith } from '../../e2e/support/fanfare.js';
import { Scene, test as sceneTest } from '../../e2e/support/scene.js';
import { Watched } from './watched.js';

// The packages are those of ../../e2e.
export const require = createRequire(new URL('../../e2e/package.json', import.meta.url));
const { chromium } = require('playwright-core');

/** How long a page may take for whatever a test waits for, in milliseconds. */
const PATIENCE = 20_000;

export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 360, height: 740 };

/** An application of the configuration, and tokens in a database beside it. */
export const WITH_TOKENS = `${appWith('client_events = true', 'trace = true')}\n[apps]\ndatabase = "sqlite"\n`;

const EVERY_SCOPE = 'read,write,secrets,publish,payloads,operate';

function programOf(name) {
  for (const folder of process.env.PATH.split(path.delimiter)) {
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Perhaps the next one has the program.
    }
  }
  throw new Error(`there is no ${name} on the PATH`);
}

let started;

/** The browser of this file's tests. Every name below `.test` is this machine. */
function browser() {
  const args = ['--disable-dev-shm-usage', '--no-proxy-server', '--host-resolver-rules=MAP *.test 127.0.0.1'];
  started ??= chromium.launch({ executablePath: programOf('chromium'), args, chromiumSandbox: process.getuid?.() !== 0 });
  return started;
}

/** Ends the browser; tests have that done for them. */
export const endBrowser = async () => (await started)?.close();

after(endBrowser);

/** A test with a server and a browser; whatever happens on its pages that must not fails the test. */
export function test(name, body, options = {}) {
  sceneTest(name, async (t) => {
    const desk = await Desk.open(t, options);
    await body(desk, t);
    await desk.judge();
  });
}

/** A server, and the people who look at its console. */
export class Desk {
  #watched = [];

  static async open(t, { config = WITH_TOKENS, secrets = [APP.secret] } = {}) {
    const desk = new Desk();
    desk.t = t;
    desk.scene = await Scene.open(t, { config });
    desk.server = desk.scene.server;
    desk.url = new URL('/console/', desk.server.adminUrl).href;
    desk.secrets = secrets;
    return desk;
  }

  /** The browser without anybody who watches it. */
  browser() {
    return browser();
  }

  /** A link that logs in once; the options are those of `fanfare console`. */
  async link({ scope = EVERY_SCOPE, ...options } = {}) {
    const words = Object.entries({ scope, url: this.server.adminUrl.origin, ...options }).flatMap(([name, value]) => [`--${name}`, value]);
    const [link] = /http\S+#code=\w+/.exec(await this.server.command('console', ...words));
    return link;
  }

  /** A new token, and its number. */
  async token(scope = EVERY_SCOPE, ...words) {
    const { id, token } = JSON.parse(await this.server.command('token', 'create', '--name', 'deploy', '--scope', scope, '--json', ...words));
    return { number: String(id), token };
  }

  /**
   * A browser of one reader: nothing in it but what the reader does. With `ownClock` its clock can be put forward
   * (`nextPoll`).
   */
  async reader({ origin = this.server.adminUrl.origin, ownClock, ...options } = {}) {
    const context = await (await browser()).newContext({ viewport: WIDE, reducedMotion: 'reduce', ...options });
    this.t.after(() => context.close());
    context.setDefaultTimeout(PATIENCE);
    if (ownClock) await context.clock.install();
    this.#watched.push(await Watched.begin(context, { origin, secrets: this.secrets }));
    return context;
  }

  /** A page of a new reader who has logged in by a link; `at` is the address behind #. */
  async visit(at, { login, ...options } = {}) {
    const context = await this.reader(options);
    const page = await context.newPage();
    await page.goto(`${await this.link(login)}&at=${at}`);
    await settled(page);
    return page;
  }

  async judge() {
    for (const watched of this.#watched) await watched.judge();
  }
}

/** Resolves when the page shows what it asked for: no list is being loaded. */
export async function settled(page) {
  await page.locator('main h1').first().waitFor();
  await page.locator('.state[role=status]').first().waitFor({ state: 'detached' });
}

/** Goes to an address of the page that is open. */
export async function go(page, at) {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, at);
  await page.waitForFunction((hash) => decodeURI(location.hash) === decodeURI(hash), `#${at}`);
  await settled(page);
}

/** Lets a page with a clock of its own ask anew at once, as it does every few seconds. */
export async function nextPoll(page) {
  const asked = page.waitForRequest(/\/v1\//);
  await page.clock.fastForward(5_000);
  await asked;
}

export const button = (page, name) => page.getByRole('button', { name, exact: true });

export const link = (page, name) => page.getByRole('link', { name, exact: true });

/** Waits until this text is on the page. */
export const says = (page, words) => page.getByText(words).first().waitFor();

/** The page is as wide as the window, and no wider. */
export async function fits(page, what) {
  const { wide, window } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, window: innerWidth }));
  assert.ok(wide <= window, `${what} is ${wide} px wide in a window of ${window} px`);
}
