// An application that Fanfare asks for authorization, with the answers of Laravel's broadcasters.
import { once } from 'node:events';
import { createServer } from 'node:http';

import { APP } from './fanfare.js';

/** Users by bearer token, which may also be the cookie `session`. */
export const USERS = { 'ann-token': { id: 7, name: 'Ann' }, 'bob-token': { id: 12, name: 'Bob' } };

/** The `redis` broadcaster: cannot sign, and a member's data is an object. Nobody may join `private-closed`. */
export function redisBroadcaster({ user, channel }) {
  if (!user || channel === 'private-closed') return [403, { message: 'no' }];
  if (channel === null) return [200, { id: String(user.id), user_info: user }];
  if (!channel.startsWith('presence-')) return [200, true];
  return [200, { channel_data: { user_id: user.id, user_info: user } }];
}

/** The `pusher` broadcaster, which signs, here with the Node SDK. */
export const pusherBroadcaster = (sdk) => (asked) => {
  const { user, channel, socketId } = asked;
  if (!user || channel === 'private-closed') return [403, { message: 'no' }];
  if (channel === null) return [200, sdk.authenticateUser(socketId, { id: String(user.id), user_info: user })];
  const member = channel.startsWith('presence-') ? { user_id: String(user.id), user_info: user } : undefined;
  return [200, sdk.authorizeChannel(socketId, channel, member)];
};

/** Starts an application, stopped when the test ends. Gives the settings that make Fanfare ask the application. */
export async function startApplication(t, broadcaster) {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const form = new URLSearchParams(body);
    const token = request.headers.authorization?.replace('Bearer ', '') ?? request.headers.cookie?.replace('session=', '');
    const user = USERS[token];
    const [status, answer] = broadcaster({ user, channel: form.get('channel_name'), socketId: form.get('socket_id') });
    // Laravel's label of the JSON of its redis broadcaster.
    response.writeHead(status, { 'content-type': 'text/html; charset=UTF-8' });
    response.end(JSON.stringify(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const base = `http://127.0.0.1:${server.address().port}/broadcasting`;
  return [`authorization.url = "${base}/auth"`, `authorization.user_url = "${base}/user-auth"`];
}

/** Options of a client that asks Fanfare with this token. */
export function asking(server, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const endpoint = (name) => new URL(`/app/${APP.key}/${name}`, server.url).href;
  return {
    channelAuthorization: { endpoint: endpoint('auth'), headers },
    userAuthentication: { endpoint: endpoint('user-auth'), headers },
  };
}
