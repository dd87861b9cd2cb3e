// How much the console weighs, and how soon the first view is usable.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { settled, test } from './support/console.js';

const FOLDER = fileURLToPath(new URL('../../crates/server/console/', import.meta.url));
const KIB = 1024;

const files = readdirSync(FOLDER, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.relative(FOLDER, path.join(entry.parentPath ?? entry.path, entry.name)));
const bytesOf = (name) => readFileSync(path.join(FOLDER, name));
const sum = (names, measure) => names.reduce((all, name) => all + measure(bytesOf(name)), 0);
const gzipped = (bytes) => gzipSync(bytes).length;

test('con_060 con_061 con_088 the console is small, and its first view smaller; the time until that is usable is told', async (desk, t) => {
  const own = files.filter((name) => /^[\w]+\.js$/.test(name));
  assert.ok(own.length <= 20, `${own.length} modules`);
  assert.ok(sum(own, (bytes) => bytes.length) <= 120 * KIB, `own scripts: ${sum(own, (bytes) => bytes.length)} bytes`);
  assert.ok(bytesOf('style.css').length <= 16 * KIB, `own style: ${bytesOf('style.css').length} bytes`);
  assert.ok(sum(files, gzipped) <= 150 * KIB, `all files: ${sum(files, gzipped)} bytes`);
  const told = bytesOf('vendor/README').toString();
  for (const words of ['preact.js', 'htm 3.1.1', 'Apache License 2.0', 'MIT License', 'uPlot 1.6.32']) assert.ok(told.includes(words), words);

  const context = await desk.reader();
  const page = await context.newPage();
  const loaded = [];
  page.on('response', (response) => loaded.push(new URL(response.url()).pathname));
  const began = performance.now();
  await page.goto(await desk.link());
  await settled(page);
  const took = performance.now() - began;
  const first = loaded.filter((at) => at.startsWith('/console/')).map((at) => at.slice('/console/'.length) || 'index.html');
  assert.ok(first.includes('main.js') && !first.includes('vendor/uplot.js'), first.join(' '));
  assert.ok(sum(first, gzipped) <= 100 * KIB, `the first view: ${sum(first, gzipped)} bytes`);
  const painted = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
  t.diagnostic(`first view: ${sum(first, gzipped)} bytes gzipped, in ${first.length} files; all files ${sum(files, gzipped)}; usable after ${Math.round(took)} ms, painted after ${Math.round(painted)} ms`);
});
