/** Entry of a thread that checks bundles ahead. In: addresses. Out: one result for each, in the order of asking. */
import { parentPort } from 'node:worker_threads';
import { precheckBundle, type BundleAddress } from './precheck.ts';

/** The check before; owned by the listener below. */
let previous = Promise.resolve();

parentPort?.on('message', (address: BundleAddress) => {
  // One at a time: two would hold the lines of two bundles in memory.
  previous = previous.then(async () => {
    const result = await precheckBundle(address);
    parentPort?.postMessage(result, result === undefined ? [] : [result.leafHashes.buffer as ArrayBuffer]);
  });
});
