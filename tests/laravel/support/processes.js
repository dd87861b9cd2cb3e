// Programs that a test starts on loopback, and stops by their process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

import { until, withDeadline } from '../../e2e/support/waiting.js';

/** Timeout for a program's start, in milliseconds, on a busy machine. */
const START = 30_000;

/** A port that was free a moment ago, for programs that cannot pick a port themselves. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

export class Running {
  #child;
  #exit;
  #ended = false;
  /** The output so far, standard output and standard error. */
  output = '';

  constructor(program, args, options = {}) {
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.output += text));
    }
    this.#exit = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.output += `${program}: ${error.message}\n`;
        resolve(error.message);
      });
      this.#child.once('close', (code, signal) => resolve(code ?? signal));
    }).finally(() => (this.#ended = true));
  }

  /** Resolves when the program answers `question`; fails if the program ends before. */
  async readyWhen(question, what) {
    await until(async () => {
      if (this.#ended) throw new Error(`${what} ended:\n${this.output}`);
      return question().catch(() => false);
    }, what, START);
  }

  /** The exit status. */
  ended(what) {
    return withDeadline(this.#exit, `the end of ${what}`, START);
  }

  /** Stops the process, and waits for the end. */
  async stop(signal = 'SIGTERM') {
    if (!this.#ended) this.#child.kill(signal);
    await withDeadline(this.#exit, 'the end').catch(() => this.#child.kill('SIGKILL'));
    await this.#exit;
  }
}

/** Runs a program to its end; fails, with its output, on a bad status. */
export async function run(program, args, options) {
  const running = new Running(program, args, options);
  const status = await running.ended(`${program} ${args.join(' ')}`);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${running.output}`);
  return running.output;
}
