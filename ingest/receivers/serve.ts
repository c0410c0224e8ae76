import type { AddressInfo } from 'node:net';
import { buildReceivers, type ReceiverOptions } from './app.ts';

export interface RunningReceivers {
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
  /** Stops accepting, answers the requests in hand, then resolves. Idempotent. Leaves the event log open. */
  close(): Promise<void>;
}

/** Listens with the receivers; the same in the main thread and in a worker. Rejects if the port cannot be had. */
export async function startReceivers(
  options: ReceiverOptions,
  address: { readonly host: string; readonly port: number },
): Promise<RunningReceivers> {
  const app = buildReceivers(options);
  await app.listen({ host: address.host, port: address.port });
  const { port } = app.server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  return { port, close: () => (closing ??= app.close()) };
}
