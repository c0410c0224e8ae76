import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { buildReceivers, type ReceiverOptions } from './app.ts';
import type { RunningGrpc, TlsTexts } from './grpc/server.ts';
import { createIntake } from './intake.ts';
import { trackConnections } from './connections.ts';

/**
 * Sockets that are open at once. Shortly before this number idle connections are closed; at this number the system
 * refuses.
 */
const MAX_CONNECTIONS = 2048;

/** How long a closing server waits for the requests in hand. */
const CLOSE_GRACE_MS = 5_000;

export interface RunningReceivers {
  /** The port in use, even if port 0 was asked for. */
  readonly port: number;
  /** The port of OTLP/gRPC; undefined if gRPC is off. */
  readonly grpcPort: number | undefined;
  /**
   * Stops accepting, answers the requests in hand, then resolves; cuts those that take more than five seconds, which
   * are then not acknowledged. Idempotent. Leaves the event log open.
   */
  close(): Promise<void>;
}

export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** Port of OTLP/gRPC; without it gRPC is off. */
  readonly grpcPort?: number | undefined;
  /** For HTTP and gRPC alike; without it a proxy in front has to end TLS. */
  readonly tls?: TlsTexts | undefined;
  /** @default 2048 */
  readonly maxConnections?: number;
  /** @default 5000 */
  readonly closeGraceMs?: number;
}

/** Listens with the receivers; the same in the main thread and in a worker. Rejects if the port is not free. */
export async function startReceivers(
  options: ReceiverOptions,
  serving: ServeOptions,
): Promise<RunningReceivers> {
  const { host, port, grpcPort, tls } = serving;
  const { maxConnections = MAX_CONNECTIONS, closeGraceMs = CLOSE_GRACE_MS } = serving;
  const intake = createIntake(options);
  const app = buildReceivers(options, intake, tls);
  const close = closeWithin(app, closeGraceMs, maxConnections);
  await app.listen({ host, port });
  const address = app.server.address() as AddressInfo;
  let grpc: RunningGrpc | undefined;
  try {
    if (grpcPort !== undefined) {
      // Loaded only if it is needed, because the library is large.
      const { startGrpc } = await import('./grpc/server.ts');
      grpc = await startGrpc(intake, { host, port: grpcPort, tls });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    port: address.port,
    grpcPort: grpc?.port,
    close: async () => {
      await Promise.all([close(), grpc?.close(closeGraceMs)]);
    },
  };
}

/**
 * Closes a server in bounded time. Idle connections end at once, and requests in hand when they are answered. After
 * `graceMs` all other connections are cut. To be called before the server listens.
 */
export function closeWithin(
  app: Pick<FastifyInstance, 'server' | 'close'>,
  graceMs: number,
  maxConnections = MAX_CONNECTIONS,
): () => Promise<void> {
  const connections = trackConnections(app.server, maxConnections);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    // Otherwise the server waits for the request of a connection that never sent anything.
    const closed = app.close();
    connections.closeIdle();
    const timer = setTimeout(() => app.server.closeAllConnections(), graceMs);
    try {
      await closed;
    } finally {
      clearTimeout(timer);
    }
  };
  return () => (closing ??= close());
}
