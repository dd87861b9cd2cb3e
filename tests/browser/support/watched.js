// What must never happen in a page of the console: a violation of its policy, an error, a request to elsewhere, a dialog of the
// browser, or a secret in an answer or on the page.
import assert from 'node:assert/strict';

/** Answers that do not end; whoever opens one looks at its lines. */
const STREAM = 'text/event-stream';

/** Answers whose purpose is a secret: a new app, a new key or token, and what was asked for with the scope `secrets`. */
const SHOWS_SECRETS = [/^POST \/v1\/(apps|tokens)$/, /^POST \/v1\/apps\/[^/]+\/keys$/, /^GET .*[?&]secrets=true/];

/** The faults of all pages of a browser context. `secrets` are the texts that must be in no answer and on no page. */
export class Watched {
  #faults = [];
  #answers = [];

  static async begin(context, { origin, secrets }) {
    const watched = new Watched();
    Object.assign(watched, { context, origin, secrets });
    await context.exposeBinding('violated', (_, what) => watched.#faults.push(`against the policy: ${what}`));
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile, lineNumber, sample }) =>
        violated([violatedDirective, blockedURI, sourceFile, lineNumber, sample].join(' ')),
      );
    });
    context.on('weberror', (error) => watched.#faults.push(`error: ${error.error().stack}`));
    context.on('console', (said) => {
      // Chromium says so of every refusal, too.
      if (said.type() === 'error' && !said.text().startsWith('Failed to load resource')) watched.#faults.push(`said: ${said.text()}`);
    });
    context.on('dialog', (dialog) => {
      watched.#faults.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    context.on('request', (request) => {
      const url = new URL(request.url());
      if (url.origin !== origin && !['blob:', 'data:'].includes(url.protocol)) watched.#faults.push(`asked elsewhere: ${url}`);
    });
    context.on('response', (response) => watched.#answers.push(watched.#look(response)));
    return watched;
  }

  async #look(response) {
    const { pathname, search } = new URL(response.url());
    const asked = `${response.request().method()} ${pathname}${search}`;
    if (SHOWS_SECRETS.some((one) => one.test(asked))) return;
    if ((await response.headerValue('content-type'))?.startsWith(STREAM)) return;
    // The body of a page that was left is gone, and was not shown.
    const body = await response.text().catch(() => '');
    if (this.secrets.some((secret) => body.includes(secret))) this.#faults.push(`a secret in the answer to ${asked}`);
  }

  /** Fails if anything happened that must not. */
  async judge() {
    await Promise.all(this.#answers);
    for (const page of this.context.pages()) {
      const shown = await page.evaluate(() => {
        const typed = [...document.querySelectorAll('input, textarea')].map(({ value }) => value);
        return [document.documentElement.outerHTML, ...typed, location.href, ...Object.values({ ...localStorage, ...sessionStorage })].join('\n');
      });
      if (this.secrets.some((secret) => shown.includes(secret))) this.#faults.push(`a secret on ${page.url()}`);
    }
    assert.deepEqual(this.#faults, []);
  }
}
