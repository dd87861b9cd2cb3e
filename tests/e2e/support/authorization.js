// The application's side of channel authorization and user authentication, with the stock Node SDK.
import { createServer } from 'node:http';
import { once } from 'node:events';

/**
 * Answers the requests of `pusher-js` as an application would: `/auth?user=JSON` signs a presence channel for
 * that user (an object with `user_id`; `null` signs without a user), any other channel for every user;
 * `/user-auth?user=JSON` signs that user in (an object with `id`); refuses anything else.
 */
export async function startAuthorization(sdk) {
  const answers = {
    '/auth': (form, user) => {
      const channel = form.get('channel_name');
      const member = channel.startsWith('presence-') ? (user ?? undefined) : undefined;
      return sdk.authorizeChannel(form.get('socket_id'), channel, member);
    },
    '/user-auth': (form, user) => sdk.authenticateUser(form.get('socket_id'), user),
  };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const form = new URLSearchParams(body);
    const answer = answers[url.pathname]?.(form, JSON.parse(url.searchParams.get('user')));
    response.writeHead(answer ? 200 : 403, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { message: 'no' }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}`;
  return {
    /** The URL for a channel's authorization by `user`. */
    endpoint: (user = null) => `${base}/auth?user=${encodeURIComponent(JSON.stringify(user))}`,
    /** The URL for signing in. */
    userEndpoint: (user) => `${base}/user-auth?user=${encodeURIComponent(JSON.stringify(user))}`,
    refusing: `${base}/refuse`,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
