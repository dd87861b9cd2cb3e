// A private CA and its certificates, made with the commands of docs/tls.md, and clients in a process that
// trusts the CA.
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';

import { commandsIn, shell } from './docs.js';
import { Inbox } from './waiting.js';

const CLIENT = fileURLToPath(new URL('./tls_client.js', import.meta.url));

/** A CA and its certificate for localhost, in a folder that is removed when the test ends. */
export class Authority {
  #issue;

  static async make(t) {
    const authority = new Authority();
    authority.directory = await mkdtemp(path.join(tmpdir(), 'fanfare-e2e-tls-'));
    t.after(() => rm(authority.directory, { recursive: true, force: true }));
    let make;
    [make, authority.#issue, authority.verify, authority.show] = await commandsIn('tls.md', 'A private CA');
    await shell(make, authority.directory);
    await authority.issue();
    return authority;
  }

  file(name) {
    return path.join(this.directory, name);
  }

  /** The lines of a server's configuration. */
  get settings() {
    return `[tls]\naddr = "127.0.0.1:0"\ncert_file = "${this.file('fullchain.pem')}"\nkey_file = "${this.file('privkey.pem')}"\n`;
  }

  /** Replaces the certificate and the key. */
  async issue() {
    await shell(this.#issue, this.directory);
  }
}

/** The serial number of the certificate on new connections. */
export function shownAt(port) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.end();
    });
    socket.on('error', reject);
  });
}

/** A process with stock clients, which trusts `ca` besides the public authorities; its messages are in `said`. */
export function clientProcess(t, { url, ca }) {
  const { NODE_EXTRA_CA_CERTS, ...env } = process.env;
  const child = fork(CLIENT, [url.hostname === '127.0.0.1' ? 'localhost' : url.hostname, url.port], {
    env: ca ? { ...env, NODE_EXTRA_CA_CERTS: ca } : env,
    execArgv: [],
  });
  t.after(() => child.kill());
  const said = new Inbox('a word of the client process');
  child.on('message', (message) => said.put(message));
  child.on('error', (error) => said.put({ failed: error.message }));
  return { said, publish: (data) => child.send({ publish: data }) };
}
