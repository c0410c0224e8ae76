import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { filesBelow } from '../support/archive-folder.ts';
import { createTestSigner } from '../support/ledger.ts';
import {
  copyOf,
  cutBackTo,
  forgeBundle,
  removeCheckpoints,
  rewriteWithoutKey,
  sealArchive,
  type SealedArchive,
} from './forge.ts';

/** What a forger without the key changes beside the tree, with lock files that fit. */
const header = (start: number, member: object) => (dir: string) =>
  forgeBundle(dir, start, (bundle) => ({ header: { ...bundle.header, ...member } }));

describe('bundles that the key of the log did not sign:', () => {
  let sealed: SealedArchive;
  let foreign: SealedArchive;
  beforeAll(async () => {
    sealed = await sealArchive();
    foreign = await sealArchive({ signer: createTestSigner(), sizes: [23, 7, 5], firstRecord: 1000 });
  });
  afterAll(async () => {
    await sealed.dispose();
    await foreign.dispose();
  });

  /** Objects of a foreign log from a place on, in this one. */
  async function appendForeign(dir: string, start: number): Promise<void> {
    const place = String(start).padStart(20, '0');
    for (const file of await filesBelow(foreign.dir)) {
      if (file.includes(place) && !file.includes('checkpoint'))
        await cp(join(foreign.dir, file), join(dir, file));
    }
  }

  const cases: readonly (readonly [string, (dir: string) => Promise<void>, number])[] = [
    ['another next_offset in the newest header', header(23, { next_offset: '99' }), 23],
    ['another next_offset in an older header', header(10, { next_offset: '99' }), 10],
    ['another integrated_at', header(10, { integrated_at: '2026-11-20T09:00:00.000Z' }), 10],
    ['another duplicate_count', header(10, { duplicate_count: 7 }), 10],
    ['no signature', header(10, { signature: '' }), 10],
    ['a signature of zeros', header(10, { signature: Buffer.alloc(64).toString('base64') }), 10],
    ['a bundle of another key behind the newest checkpoint', (dir) => appendForeign(dir, 30), 30],
    [
      'the newest bundle replaced by one of another key, its checkpoint removed',
      async (dir) => {
        await cutBackTo(dir, 23);
        await appendForeign(dir, 23);
      },
      23,
    ],
    [
      'the log rewritten from 15 on, the newer checkpoints removed',
      async (dir) => {
        await rewriteWithoutKey(dir, sealed.signer, 15);
        await removeCheckpoints(dir, [23, 30]);
      },
      15,
    ],
  ];

  it.each(cases)('names %s: bundle_unsigned', async (_, tamper, index) => {
    const copy = await copyOf(sealed.dir);
    expect(await verifyArchive({ dir: copy.dir })).toMatchObject({ ok: true, failures: [] });
    await tamper(copy.dir);
    const report = await verifyArchive({ dir: copy.dir });
    await copy.dispose();
    expect(report).toMatchObject({ ok: false, anchoring: 'broken' });
    expect(report.failures[0]?.index).toBe(index);
    expect(report.failures.find(({ code }) => code === 'bundle_unsigned')?.index).toBe(index);
  });
});
