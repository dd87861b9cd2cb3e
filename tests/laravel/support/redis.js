// A Redis of its own for a test.
import { connect } from 'node:net';

import { until } from '../../e2e/support/waiting.js';
import { Running, freePort } from './processes.js';

export class Redis {
  #process;

  static async start() {
    const redis = new Redis();
    redis.port = await freePort();
    const args = ['--port', redis.port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    redis.#process = new Running('redis-server', args.map(String));
    await redis.#process.readyWhen(async () => (await redis.ask('PING')) === '+PONG', 'Redis');
    return redis;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** The first line of Redis' answer to a command of plain words. */
  ask(command) {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(`${command}\r\n`));
      socket.setEncoding('utf8').once('data', (text) => {
        socket.destroy();
        resolve(text.split('\r\n')[0]);
      });
      socket.once('error', reject);
    });
  }

  /** Resolves when a subscriber listens for broadcasts: earlier messages are lost. */
  async listenedTo() {
    await until(async () => (await this.ask('PUBSUB NUMPAT')) !== ':0', 'a subscription in Redis');
  }

  stop() {
    return this.#process.stop();
  }
}
