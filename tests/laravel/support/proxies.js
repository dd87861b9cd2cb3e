// The proxies: turning the documented text into a configuration on loopback, and the process that runs it.
//
// The replaced parts are the same everywhere: the host name, the listening address, the certificate, and the
// address of Fanfare. The added parts are those of a distribution's package around such a file.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { Running } from './processes.js';
import { replaced, snippet } from './snippet.js';

const DOCUMENTED = {
  certificate: '/etc/letsencrypt/live/ws.example.com/fullchain.pem',
  key: '/etc/letsencrypt/live/ws.example.com/privkey.pem',
  fanfare: '127.0.0.1:6001',
};

const nginx = {
  page: 'behind-nginx.md',
  ownHost: (text, { port, tls }) =>
    replaced(text, [
      ['server_name ws.example.com;', 'server_name localhost;'],
      ...(tls
        ? [['listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`], ...certificateOf(tls)]
        : [
            ['listen 443 ssl http2;', `listen 127.0.0.1:${port};`],
            [`    ssl_certificate ${DOCUMENTED.certificate};\n`, ''],
            [`    ssl_certificate_key ${DOCUMENTED.key};\n`, ''],
          ]),
    ]),
  ownHostTitle: '/etc/nginx/sites-available/fanfare',
  pathTitle: "in the application's server",
  async path(text, { port, tls, app }) {
    const map = (await snippet(nginx.page, nginx.ownHostTitle)).split('server {')[0];
    const listen = tls
      ? `listen 127.0.0.1:${port} ssl; ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key};`
      : `listen 127.0.0.1:${port};`;
    return `${map}server { ${listen}\n${text}\nlocation / { proxy_pass ${app}; } }\n`;
  },
  async start(site, directory) {
    const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const temporary = places.map((name) => `${name}_temp_path ${directory}/${name};`).join('\n');
    const user = process.getuid() === 0 ? 'user root;' : '';
    const text = `daemon off; ${user} pid ${directory}/pid; error_log stderr; events {}
      http { access_log off;\n${temporary}\n${site} }`;
    const file = path.join(directory, 'nginx.conf');
    await writeFile(file, text);
    return new Running('nginx', ['-p', directory, '-e', 'stderr', '-c', file]);
  },
};

const caddy = {
  page: 'behind-caddy.md',
  ownHostTitle: '/etc/caddy/Caddyfile',
  ownHost: (text, { port, tls }) => replaced(text, [['ws.example.com {', caddy.address(port, tls)]]),
  pathTitle: "in the application's block",
  path: (text, { port, tls, app }) =>
    `${caddy.address(port, tls)}\n${text}\nhandle {\n reverse_proxy ${new URL(app).host}\n}\n}\n`,
  /** For a public name Caddy obtains a certificate itself, which is impossible in a test. */
  address: (port, tls) =>
    tls
      ? `https://localhost:${port} {\n bind 127.0.0.1\n tls ${tls.certificate} ${tls.key}`
      : `http://localhost:${port} {\n bind 127.0.0.1`,
  async start(site, directory) {
    const file = path.join(directory, 'Caddyfile');
    await writeFile(file, `{\n admin off\n auto_https disable_redirects\n}\n${site}`);
    const env = { PATH: process.env.PATH, HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory };
    return new Running('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], { env });
  },
};

const apache = {
  page: 'behind-apache.md',
  ownHostTitle: '/etc/apache2/sites-available/fanfare.conf',
  ownHost: (text, { port, tls }) =>
    replaced(text, [
      ['<VirtualHost *:443>', `<VirtualHost 127.0.0.1:${port}>`],
      ['ServerName ws.example.com', 'ServerName localhost'],
      ...(tls
        ? certificateOf(tls)
        : [
            ['    SSLEngine on\n', ''],
            [`    SSLCertificateFile ${DOCUMENTED.certificate}\n`, ''],
            [`    SSLCertificateKeyFile ${DOCUMENTED.key}\n`, ''],
          ]),
    ]),
  pathTitle: "in the application's virtual host",
  path(text, { port, tls, app }) {
    const engine = tls
      ? `SSLEngine on\nSSLCertificateFile ${tls.certificate}\nSSLCertificateKeyFile ${tls.key}\n`
      : '';
    return `<VirtualHost 127.0.0.1:${port}>\n${engine}${text}\nProxyPass / ${app}/\n</VirtualHost>\n`;
  },
  async start(site, directory, { port }) {
    // The modules that Debian enables by default and that touch such requests, as it configures them; and those that the page enables.
    const modules = ['mpm_event', 'authz_core', 'filter', 'deflate', 'reqtimeout', 'proxy', 'proxy_http', 'headers', 'ssl'];
    const loaded = modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`);
    const debians = `AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css text/javascript
      AddOutputFilterByType DEFLATE application/x-javascript application/javascript application/ecmascript
      RequestReadTimeout header=20-40,minrate=500
      RequestReadTimeout body=10,minrate=500`;
    const user = process.getuid() === 0 ? 'User www-data\nGroup www-data' : '';
    const own = `DefaultRuntimeDir ${directory}\nPidFile ${directory}/pid\nErrorLog "|/bin/cat"\nServerName localhost\n${user}`;
    const file = path.join(directory, 'apache2.conf');
    await writeFile(file, `${loaded.join('\n')}\n${debians}\n${own}\nListen 127.0.0.1:${port}\n${site}`);
    return new Running('apache2', ['-D', 'FOREGROUND', '-d', directory, '-f', file]);
  },
};

const certificateOf = (tls) => [
  [DOCUMENTED.certificate, tls.certificate],
  [DOCUMENTED.key, tls.key],
];

export const PROXIES = { nginx, caddy, apache };

/** Starts a program with a whole configuration that the caller has made of the documented text. */
export const STARTS = { nginx: nginx.start, caddy: caddy.start };

/**
 * Starts a proxy with the documented text in `directory`, and resolves when the proxy forwards requests to
 * Fanfare. `tls` are the files of a certificate, or nothing; `app` is the application's address, for the text
 * that goes into the application's host.
 */
export async function startProxy(proxy, { directory, port, tls, fanfare, app }) {
  const title = app ? proxy.pathTitle : proxy.ownHostTitle;
  const text = replaced(await snippet(proxy.page, title), [[DOCUMENTED.fanfare, fanfare]]);
  const site = await (app ? proxy.path(text, { port, tls, app }) : proxy.ownHost(text, { port, tls }));
  await mkdir(directory, { recursive: true });
  return proxy.start(site, directory, { port });
}
