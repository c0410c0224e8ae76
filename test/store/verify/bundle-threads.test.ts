import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleKey } from '../../../store/chain/layout.ts';
import { verifyArchive } from '../../../store/verify/verify-archive.ts';
import { lookAheadInThreads, startThreads, type LookAhead } from '../../../store/verify/bundle-threads.ts';
import type { BundleAddress, Precheck } from '../../../store/verify/precheck.ts';
import { replaceObject, writeTestArchive, type TestArchive } from '../../support/archive-folder.ts';
import { BUNDLE_WORKER, entryOf } from '../../support/bundle-worker.ts';

const SIZES = [3, 4, 1, 8, 2, 5];
const HASH_BYTES = 32;

/** Put behind the worker: ends the thread while it is at its second bundle. */
const DYING = `
  import { parentPort } from 'node:worker_threads';
  let asked = 0;
  parentPort.on('message', () => (asked += 1) === 2 && process.exit());
`;
/** Instead of the worker. */
const LYING = `
  import { parentPort } from 'node:worker_threads';
  const result = {
    object: { sha256: '', size: 0 },
    ...{ headerLine: new Uint8Array(), frameLines: [], leafHashes: new Uint8Array() },
    counts: { opened: 9, sealed: 0, destroyed: 0 },
  };
  parentPort.on('message', () => parentPort.postMessage({ kind: 'checked', result }));
`;

describe('threads that check bundles first', () => {
  let sound: TestArchive;
  let broken: TestArchive;

  beforeAll(async () => {
    sound = await writeTestArchive(SIZES);
    broken = await writeTestArchive(SIZES);
    await replaceObject(broken.dir, bundleKey('p0', 7), Buffer.from('cut off'));
  });

  afterAll(() => Promise.all([sound.dispose(), broken.dispose()]));

  /** Verifies both archives; gives the reports and what the threads told. */
  async function verifyBoth(open: (bundles: readonly BundleAddress[]) => LookAhead | undefined) {
    const told: (Precheck | undefined)[] = [];
    const lookAhead = (bundles: readonly BundleAddress[]) => {
      const ahead = open(bundles);
      if (ahead === undefined) return undefined;
      const next = async () => {
        const bundle = await ahead.next();
        told.push(bundle);
        return bundle;
      };
      return { next, close: () => ahead.close() };
    };
    const reports = [];
    for (const { dir } of [sound, broken]) reports.push(await verifyArchive({ dir, lookAhead }));
    return { reports, told };
  }

  it('are not started for a small log', () => {
    const few = SIZES.map((_, position) => ({ dir: sound.dir, log: 'p0', start: position }));
    expect(lookAheadInThreads(few)).toBeUndefined();
  });

  it('tell of sound bundles and leave the others to whoever asks', async () => {
    const { told } = await verifyBoth((bundles) =>
      startThreads(bundles, { threadCount: 2, entry: entryOf(BUNDLE_WORKER) }),
    );
    const ofSound: (number | undefined)[] = SIZES.map((size) => size * HASH_BYTES);
    const ofBroken = ofSound.with(2, undefined);
    expect(told.map((bundle) => bundle?.leafHashes.length)).toEqual([...ofSound, ...ofBroken]);
  });

  it.each([
    ['that cannot be had', new URL('https://example.invalid/worker.js'), 0],
    ['that do not start', entryOf('throw new Error("no")'), 0],
    ['that die at their second bundle', entryOf(`${BUNDLE_WORKER} ${DYING}`), 4],
    ['that tell of bundles that are not there', entryOf(LYING), 12],
  ])('%s change nothing in the report', async (_, entry, atMost) => {
    const alone = await verifyBoth(() => undefined);
    const { reports, told } = await verifyBoth((bundles) => startThreads(bundles, { threadCount: 2, entry }));
    expect(reports).toEqual(alone.reports);
    expect(reports.map(({ ok }) => ok)).toEqual([true, false]);
    expect(told.filter((bundle) => bundle !== undefined).length).toBeLessThanOrEqual(atMost);
  });
});
