// Makes the other forms of fanfare-resume.mjs: `node build.js`, with terser from npm.
const { execFileSync } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const { version } = require('./package.json');

const file = (name) => join(__dirname, name);
const source = readFileSync(file('fanfare-resume.mjs'), 'utf8');

/** The CommonJS file. */
exports.common = () =>
  `${source.replace('export default function', 'function')}
module.exports = fanfareResume;
module.exports.default = fanfareResume;
`;

/** The plain script, whose function is a global. */
exports.script = () => {
  const terser = ['--yes', 'terser@5', '--ecma', '2015', '--compress', 'passes=3', '--mangle'];
  const input = source.replace('export default function', 'function');
  const small = execFileSync('npx', terser, { input, encoding: 'utf8' }).trim();
  return `/* fanfare-resume ${version}, MIT */\n${small}\n`;
};

if (require.main === module) {
  writeFileSync(file('fanfare-resume.cjs'), exports.common());
  writeFileSync(file('fanfare-resume.js'), exports.script());
}
