// The commands in docs/ are the ones that run here.
import { execFile } from 'node:child_process';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { BINARY } from './fanfare.js';

const DOCS = fileURLToPath(new URL('../../../docs/', import.meta.url));

/** The blocks of commands under a heading of a page in docs/, in their order. */
export async function commandsIn(page, heading) {
  return blocksIn(page, heading, 'sh');
}

/** The blocks of a language under a heading of a page in docs/, in their order. */
export async function blocksIn(page, heading, language) {
  const section = (await readFile(path.join(DOCS, page), 'utf8')).split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`));
  assert.ok(section, `docs/${page} has no heading "${heading}"`);
  const blocks = [...section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)];
  const found = blocks.filter(([, name]) => name === language).map(([, , block]) => block);
  assert.notEqual(found.length, 0, `no ${language} under "${heading}" of docs/${page}`);
  return found;
}

/** Runs commands in a directory until the first failure; `fanfare` is the built binary. Gives the output. */
export async function shell(commands, directory, env = {}) {
  const PATH = `${path.dirname(BINARY)}:${process.env.PATH}`;
  const ran = promisify(execFile)('sh', ['-euc', commands], { cwd: directory, env: { PATH, ...env } });
  const { stdout } = await ran.catch((error) => {
    throw new Error(`${commands}\n${error.message}\n${error.stdout}`);
  });
  return stdout;
}
