/** A proxy before any server on TCP: passes bytes on, or does to them what a broken network does. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * - `open`: all bytes pass
 * - `refused`: every connection ends, and no new one is taken
 * - `silent`: connections stay, and nothing passes until they are open again
 * - `mute`: requests pass, and the connection ends where an answer would come: the work is done, the answer is lost
 * - `delayMs`: each answer comes so much later
 */
export type Passage = 'open' | 'refused' | 'silent' | 'mute' | { readonly delayMs: number };

export interface TcpProxy {
  readonly port: number;
  set(passage: Passage): void;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
}

export async function startTcpProxy(upstreamPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let passage: Passage = 'open';

  const server = createServer((client) => {
    if (passage === 'refused') {
      client.destroy();
      return;
    }
    const pair = { client, upstream: connect(upstreamPort, '127.0.0.1') };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      endPair(pair);
    };
    const answer = createLateWriter(client);
    for (const socket of [client, pair.upstream]) socket.setNoDelay(true).on('error', end).on('close', end);
    client.on('data', (bytes) => void pair.upstream.write(bytes));
    pair.upstream.on('data', (bytes) => {
      if (passage === 'mute') end();
      else answer(bytes, typeof passage === 'object' ? passage.delayMs : 0);
    });
    if (passage === 'silent') pausePair(pair);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    set(wanted) {
      passage = wanted;
      for (const pair of pairs) {
        if (wanted === 'refused') endPair(pair);
        else if (wanted === 'silent') pausePair(pair);
        else resumePair(pair);
      }
    },
    async close() {
      for (const pair of pairs) endPair(pair);
      server.close();
      await once(server, 'close');
    },
  };
}

function pausePair({ client, upstream }: Pair): void {
  client.pause();
  upstream.pause();
}

function resumePair({ client, upstream }: Pair): void {
  client.resume();
  upstream.resume();
}

function endPair({ client, upstream }: Pair): void {
  client.destroy();
  upstream.destroy();
}

/** Writes chunks in their order, each not before its delay is over. */
function createLateWriter(socket: Socket): (bytes: Buffer, delayMs: number) => void {
  let lastDueMs = 0;
  let waiting = 0;
  return (bytes, delayMs) => {
    if (delayMs === 0 && waiting === 0) {
      socket.write(bytes);
      return;
    }
    // One millisecond apart, so that the order of the timers is the order of the chunks.
    lastDueMs = Math.max(lastDueMs + 1, performance.now() + delayMs);
    waiting += 1;
    setTimeout(() => {
      waiting -= 1;
      if (!socket.destroyed) socket.write(bytes);
    }, lastDueMs - performance.now());
  };
}
