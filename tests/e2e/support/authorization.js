// The application's side of channel authorization and user authentication, made of the stock Node SDK.
import { createServer } from 'node:http';
import { once } from 'node:events';

/**
 * Answers what `pusher-js` posts, as an application would: `/auth?user=JSON` signs a presence channel for that
 * user (an object with `user_id`; `null` signs it without naming anybody), any other channel for anybody;
 * `/user-auth?user=JSON` signs that user in (an object with `id`); anything else says no.
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
    /** Where a client posts to for a channel; `user` is who it is. */
    endpoint: (user = null) => `${base}/auth?user=${encodeURIComponent(JSON.stringify(user))}`,
    /** Where a client posts to in order to sign in. */
    userEndpoint: (user) => `${base}/user-auth?user=${encodeURIComponent(JSON.stringify(user))}`,
    refusing: `${base}/refuse`,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
