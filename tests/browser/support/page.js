// A page in Chromium: served from an origin of its own, with a script of the test, whose reports come back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Inbox } from '../../e2e/support/waiting.js';

const MODULES = fileURLToPath(new URL('../../e2e/node_modules', import.meta.url));

/** How long Chromium may take to start, and the page to report, in milliseconds. */
const START = 40_000;

/**
 * Opens a page with these scripts (URLs, or files below node_modules), which then runs `body`: an async function that is
 * given `args` and `report`, whose promise resolves when the report has come. What the page posts to `/auth` goes to the
 * URL `authorization`. `flags` are Chromium's. Closed when the test ends. Gives `next()`, the next report.
 */
export async function openPage(t, { scripts, body, args, authorization, flags: own = [] }) {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-browser-'));
  const reports = new Inbox('a report of the page');
  const page = `<!doctype html><meta charset="utf-8"><title>page</title>
    ${scripts.map((script) => `<script src="${URL.canParse(script) ? script : `/modules/${script}`}"></script>`).join('\n')}
    <script>
      const report = (value) => fetch('/report', { method: 'POST', body: JSON.stringify(value) });
      window.onerror = (message) => report({ failed: String(message) });
      (${body})(${JSON.stringify(args)}, report).catch((error) => report({ failed: String(error.stack) }));
    </script>`;
  const server = createServer(async (asked, answer) => {
    if (asked.url.startsWith('/modules/')) {
      answer.setHeader('content-type', 'text/javascript');
      answer.end(await readFile(path.join(MODULES, asked.url.slice('/modules/'.length))));
    } else if (asked.url === '/auth') {
      const headers = { 'content-type': asked.headers['content-type'] };
      const signed = await fetch(authorization, { method: 'POST', headers, body: Buffer.concat(await asked.toArray()) });
      answer.writeHead(signed.status, { 'content-type': 'application/json' });
      answer.end(await signed.text());
    } else if (asked.url === '/report') {
      reports.put(JSON.parse(Buffer.concat(await asked.toArray())));
      answer.end();
    } else {
      answer.setHeader('content-type', 'text/html');
      answer.end(asked.url === '/' ? page : '');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const flags = [...own, '--headless=new', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage', `--user-data-dir=${directory}`];
  if (process.getuid?.() === 0) flags.push('--no-sandbox');
  const browser = spawn('chromium', [...flags, `http://127.0.0.1:${server.address().port}/`], { stdio: 'ignore' });
  const ended = once(browser, 'close').catch(() => {});
  t.after(async () => {
    browser.kill();
    await ended;
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    async next() {
      const report = await reports.next(START);
      if (report?.failed) throw new Error(`the page: ${report.failed}`);
      return report;
    },
  };
}
