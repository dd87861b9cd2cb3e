// A simple load balancer: one address for clients, in front of a replaceable server.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Forwards new connections to `server`, which can be changed; open connections stay. */
export async function startBalancer(server) {
  let behind = server;
  const sockets = new Set();
  const balancer = createServer((client) => {
    const upstream = connect(behind.port, behind.host);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
    }
  });
  balancer.listen(0, '127.0.0.1');
  await once(balancer, 'listening');
  return {
    port: balancer.address().port,
    pointTo: (next) => (behind = next),
    /** Breaks every connection without notice to either side. */
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    stop: () =>
      new Promise((resolve) => {
        balancer.close(resolve);
        for (const socket of sockets) socket.destroy();
      }),
  };
}
