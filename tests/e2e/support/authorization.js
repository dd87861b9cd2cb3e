// The application's side of channel authorization, made of the stock Node SDK.
import { createServer } from 'node:http';
import { once } from 'node:events';

/**
 * Answers what `pusher-js` posts, as an application would: `/auth?user=JSON` signs a presence channel for that
 * user (an object with `user_id`), any other channel for anybody; `/refuse` says no.
 */
export async function startAuthorization(sdk) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const form = new URLSearchParams(body);
    if (url.pathname !== '/auth') {
      response.writeHead(403, { 'content-type': 'application/json' }).end('{"message":"no"}');
      return;
    }
    const [socketId, channel] = [form.get('socket_id'), form.get('channel_name')];
    const user = channel.startsWith('presence-') ? JSON.parse(url.searchParams.get('user')) : undefined;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(sdk.authorizeChannel(socketId, channel, user)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}`;
  return {
    /** Where a client posts to; `user` is who it is. */
    endpoint: (user) => `${base}/auth?user=${encodeURIComponent(JSON.stringify(user))}`,
    refusing: `${base}/refuse`,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
