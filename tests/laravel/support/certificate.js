// A certificate for localhost, and clients of this process that trust it.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import tls from 'node:tls';

import { run } from './processes.js';

/** Makes the two files in `directory`; every TLS connection of this process then trusts this authority alone. */
export async function trustedCertificate(directory) {
  const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => path.join(directory, name));
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE'];
  await run('openssl', ['req', ...kind, ...names, ...leaf, '-keyout', key, '-out', certificate]);
  trust(await readFile(certificate));
  return { certificate, key };
}

/** pusher-js has no option for authorities, and Node reads its variable only once, before anything runs. */
function trust(ca) {
  const { connect } = trust;
  tls.connect = (options, ...rest) => connect.call(tls, { ...options, ca }, ...rest);
}
trust.connect = tls.connect;
