// The configurations in docs/ are the ones under test.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The block of a page in docs/ whose first line, a comment, is `# ` and this title. */
export async function snippet(page, title) {
  const file = fileURLToPath(new URL(`../../../docs/${page}`, import.meta.url));
  const blocks = [...(await readFile(file, 'utf8')).matchAll(/^```\w+\n([^]*?)^```$/gm)].map(([, block]) => block);
  const found = blocks.filter((block) => block.startsWith(`# ${title}\n`));
  assert.equal(found.length, 1, `blocks of docs/${page} that begin with "# ${title}"`);
  return found[0];
}

/** The text with every `from` replaced by its `to`; each must occur, so that page and test stay in step. */
export function replaced(text, pairs) {
  for (const [from, to] of pairs) {
    assert.ok(text.includes(from), `the documented text has no "${from}":\n${text}`);
    text = text.replaceAll(from, to);
  }
  return text;
}
