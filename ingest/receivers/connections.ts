import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Places kept free for connections that arrive while closed sockets are still being released. */
const FREE_PLACES = 128;

/** Status codes that a sender without a credential can get. */
const STRANGERS_ANSWERS: ReadonlySet<number> = new Set([401, 404, 405]);

export interface Connections {
  /** Closes every connection that has no request in hand. */
  closeIdle(): void;
}

/**
 * Keeps a server reachable when other clients hold its sockets. Near `max`, the connection that has been idle longest
 * is closed to make room for a new one. Connections whose last answer needed no credential are closed first, so that
 * strangers cannot push out senders that keep their connections open.
 *
 * A connection is idle unless it has a request in hand. A request is in hand from its complete header to its answer.
 */
export function trackConnections(server: Server, max: number): Connections {
  // Both in the order in which their members became idle.
  const strangers = new Set<Socket>();
  const known = new Set<Socket>();
  const inHand = new Map<Socket, number>();
  server.maxConnections = max;

  function makeRoom(): void {
    if (strangers.size + known.size + inHand.size <= max - FREE_PLACES) return;
    const [longest] = strangers.size > 0 ? strangers : known;
    if (longest === undefined) return;
    forget(longest);
    longest.destroy();
  }

  function forget(socket: Socket): void {
    strangers.delete(socket);
    known.delete(socket);
  }

  // Under TLS a request carries the socket that decrypts, not the socket below it.
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
    makeRoom();
    strangers.add(socket);
    socket.once('close', () => {
      forget(socket);
      inHand.delete(socket);
    });
  });
  server.on('request', ({ socket }, response) => {
    forget(socket);
    inHand.set(socket, (inHand.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const rest = (inHand.get(socket) ?? 1) - 1;
      if (rest > 0) inHand.set(socket, rest);
      else {
        inHand.delete(socket);
        if (!socket.destroyed) (STRANGERS_ANSWERS.has(response.statusCode) ? strangers : known).add(socket);
      }
    });
  });
  return {
    closeIdle() {
      for (const socket of [...strangers, ...known]) socket.destroy();
    },
  };
}
