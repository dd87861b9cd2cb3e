// The configuration files in docs/ are valid for Fanfare, and the links lead somewhere.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import test from 'node:test';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { BINARY } from '../e2e/support/fanfare.js';
import { trustedCertificate } from './support/certificate.js';
import { run } from './support/processes.js';

/** Prepended to a block without a table of its own, which is about an app's settings. */
const APP = '[[apps.list]]\nid = "3"\nkey = "key"\nsecret = "secret"\n';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCS = path.join(ROOT, 'docs');

/** Every page in docs/ with its text. */
async function pages() {
  const names = (await readdir(DOCS)).filter((name) => name.endsWith('.md')).map((name) => path.join(DOCS, name));
  return Promise.all(names.map(async (file) => ({ file, text: await readFile(file, 'utf8') })));
}

test('every TOML in the docs is a configuration without a fault', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fanfare-docs-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, 'fanfare.toml');
  // The files named in the docs are the readers' own.
  const { certificate, key } = await trustedCertificate(directory);
  const files = { cert_file: certificate, key_file: key, ca_file: certificate };
  let checked = 0;
  for (const { file: page, text } of await pages()) {
    for (const [, written] of text.matchAll(/^```toml\n([^]*?)^```$/gm)) {
      // The secrets of the examples are refused, because everybody knows them.
      const own = written.replace(/^secret = ".*"/gm, 'secret = "hush-hush"');
      const block = own.replace(/^(\S+_file) = ".*"/gm, (_, name) => `${name} = "${files[name.split('.').pop()]}"`);
      await writeFile(file, /^\[/m.test(block) ? block : APP + block);
      const options = { cwd: directory, env: { PATH: process.env.PATH } };
      await run(BINARY, ['serve', '--config', file, '--check'], options).catch((error) => {
        // This program was built without traces, and has to say so of what is about them, and nothing else.
        const faults = [...error.message.matchAll(/fault: .*/g)].map(([fault]) => fault);
        if (/^otlp_endpoint/m.test(block) && faults.length === 1 && faults[0].includes('was built without traces')) return;
        throw new Error(`${page}:\n${block}\n${error.message}`);
      });
      checked += 1;
    }
  }
  assert.ok(checked > 0, 'no TOML was found');
});

/** The anchors of a page's headings. */
const anchorsOf = (text) =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));

test('every link of the docs to a file leads to it, and to a heading that is there', async () => {
  const files = ['README.md', 'SECURITY.md', 'tests/laravel/README.md'].map((name) => path.join(ROOT, name));
  const more = await Promise.all(files.map(async (file) => ({ file, text: await readFile(file, 'utf8') })));
  const broken = [];
  for (const { file, text } of [...(await pages()), ...more]) {
    for (const [, place, anchor] of text.matchAll(/\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const target = place ? path.join(path.dirname(file), place) : file;
      const found = await readFile(target, 'utf8').catch((error) => (error.code === 'EISDIR' ? '' : undefined));
      const leads = found !== undefined && (!anchor || anchorsOf(found).includes(anchor));
      if (!leads) broken.push(`${path.relative(ROOT, file)}: ${place}#${anchor ?? ''}`);
    }
  }
  assert.deepEqual(broken, []);
});
