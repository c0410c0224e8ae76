/** Entry of a thread that checks bundles ahead. In: addresses. Out: one result for each, in the order of asking. */
import { parentPort, workerData } from 'node:worker_threads';
import type { KeyAddress } from '../../schemas/data-key.ts';
import type { FoundKey } from '../chain/data-key.ts';
import type { FindKeys } from './framed-payloads.ts';
import { precheckBundle, type BundleAddress, type Precheck } from './precheck.ts';

export type ToThread =
  | { readonly kind: 'check'; readonly bundle: BundleAddress }
  /** Undefined: the key store did not answer. */
  | { readonly kind: 'keys'; readonly keys: readonly FoundKey[] | undefined };

export type FromThread =
  | { readonly kind: 'ask'; readonly addresses: readonly KeyAddress[] }
  | { readonly kind: 'checked'; readonly result: Precheck | undefined };

const { hasKeys } = workerData as { readonly hasKeys: boolean };

/** The check before; owned by the listener below. */
let previous = Promise.resolve();
/** Takes the answer to the one question for keys that is open. */
let takeKeys: ((keys: readonly FoundKey[] | undefined) => void) | undefined;

/** Asks the thread that has the key store. Rejects where that gets no answer. */
const findKeys: FindKeys = async (addresses) => {
  const keys = await new Promise<readonly FoundKey[] | undefined>((resolve) => {
    takeKeys = resolve;
    parentPort?.postMessage({ kind: 'ask', addresses } satisfies FromThread);
  });
  if (keys === undefined) throw new Error('the key store did not answer');
  // Bytes come over as plain arrays.
  return keys.map((key) =>
    typeof key === 'string' ? key : { ...key, commitment: Buffer.from(key.commitment) },
  );
};

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'keys') {
    takeKeys?.(message.keys);
    return;
  }
  // One at a time: two would hold the lines of two bundles in memory.
  previous = previous.then(async () => {
    const result = await precheckBundle(message.bundle, hasKeys ? findKeys : undefined);
    const transfers = result === undefined ? [] : [result.leafHashes.buffer as ArrayBuffer];
    parentPort?.postMessage({ kind: 'checked', result } satisfies FromThread, transfers);
  });
});
