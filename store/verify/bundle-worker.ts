/** Entry of a thread that looks for sound bundles: an address in, what was found of it out, in the order of asking. */
import { parentPort } from 'node:worker_threads';
import { findSound, type BundleAddress } from './sound-bundle.ts';

let previous = Promise.resolve();

parentPort?.on('message', (address: BundleAddress) => {
  // One at a time: two would hold the lines of two bundles in memory.
  previous = previous.then(async () => {
    const sound = await findSound(address);
    parentPort?.postMessage(sound, sound === undefined ? [] : [sound.leafHashes.buffer as ArrayBuffer]);
  });
});
