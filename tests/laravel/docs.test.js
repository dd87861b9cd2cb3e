// What docs/ tells to write into a configuration file is one that Fanfare takes.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import test from 'node:test';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { BINARY } from '../e2e/support/fanfare.js';
import { run } from './support/processes.js';

const DOCS = fileURLToPath(new URL('../../docs', import.meta.url));

test('every TOML in the docs is a configuration without a fault', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-docs-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, 'fanfare.toml');
  let checked = 0;
  for (const page of (await readdir(DOCS)).filter((name) => name.endsWith('.md'))) {
    const text = await readFile(path.join(DOCS, page), 'utf8');
    for (const [, block] of text.matchAll(/^```toml\n([^]*?)^```$/gm)) {
      await writeFile(file, block);
      const options = { cwd: directory, env: { PATH: process.env.PATH } };
      await run(BINARY, ['serve', '--config', file, '--check'], options).catch((error) => {
        throw new Error(`docs/${page}:\n${block}\n${error.message}`);
      });
      checked += 1;
    }
  }
  assert.ok(checked > 0, 'no TOML was found');
});
