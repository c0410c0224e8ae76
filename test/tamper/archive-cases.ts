/** Tamper cases on archives: what is done to a copy, and what verification must call it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAILURES, type FailureCode } from '../../schemas/verification-failures.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { startThreads } from '../../store/verify/bundle-threads.ts';
import type { BundleAddress } from '../../store/verify/precheck.ts';
import { replaceObject } from '../support/archive-folder.ts';
import { BUNDLE_WORKER, entryOf } from '../support/bundle-worker.ts';
import { createTestSigner } from '../support/ledger.ts';
import { copyOf, firstIndex, forgeBundle, sealArchive, SIZES, type SealedArchive } from './forge.ts';
import { findTestKeys as findKeys } from '../support/frames.ts';

/** Signs every archive of these cases, so that a case can sign too. */
export const LOG_SIGNER = createTestSigner();

export const read = (dir: string, key: string) => readFile(join(dir, key));

/** Exchanges two objects, each with a lock file that fits. */
export async function swapObjects(dir: string, left: string, right: string): Promise<void> {
  const bytes = await read(dir, left);
  await replaceObject(dir, left, await read(dir, right));
  await replaceObject(dir, right, bytes);
}

export async function replaceBy(dir: string, key: string, other: string): Promise<void> {
  await replaceObject(dir, key, await read(dir, other));
}

/** Changes the header of a bundle and leaves its leaves alone. */
export const header = (start: number, member: object) => (dir: string) =>
  forgeBundle(dir, start, (bundle) => ({ header: { ...bundle.header, ...member } }));

export const exchanged = <T>(list: readonly T[], left: number, right: number): T[] =>
  list.with(left, list[right]!).with(right, list[left]!);

export interface ArchiveCase {
  readonly name: string;
  readonly tamper: (dir: string) => Promise<unknown>;
  readonly code: FailureCode;
  /** First broken index; null where no leaf is concerned. */
  readonly index: number | null;
  /** Index that the report begins with, where that is another one. */
  readonly first?: number;
  /** What the failure must name. */
  readonly names?: string;
}

/** An archive that was verified by one thread, and what was found. */
interface Verified {
  readonly name: string;
  readonly dir: string;
  readonly bundles: readonly BundleAddress[];
  readonly report: VerificationReport;
}

/**
 * One suite: the untouched archive verifies, and each case is named by its own code, place and file. All of them again
 * with threads that look ahead: it makes no difference.
 */
export function describeArchiveCases(
  what: string,
  cases: readonly ArchiveCase[],
  sizes: readonly number[] = SIZES,
): void {
  describe(`the archive, ${what}:`, () => {
    const verified: Verified[] = [];
    const open: { dispose(): Promise<void> }[] = [];

    async function copyAndVerify(name: string, tamper: (dir: string) => Promise<unknown>) {
      const { dir, ...copy } = await copyOf(sealed.dir);
      open.push(copy);
      await tamper(dir);
      const bundles: BundleAddress[] = [];
      const lookAhead = (asked: readonly BundleAddress[]) => void bundles.push(...asked);
      const report = await verifyArchive({ dir, pinnedVkeys: [LOG_SIGNER.vkey], findKeys, lookAhead });
      verified.push({ name, dir, bundles, report });
      return report;
    }

    let sealed: SealedArchive;
    beforeAll(async () => {
      sealed = await sealArchive({ signer: LOG_SIGNER, sizes });
      open.push(sealed);
    });
    afterAll(() => Promise.all(open.map((each) => each.dispose())));

    it('verifies as long as nobody touched it', async () => {
      expect(await copyAndVerify('untouched', () => Promise.resolve())).toMatchObject({
        ok: true,
        anchoring: 'signed_by_pinned_key',
        tree_size: sizes.reduce((sum, size) => sum + size),
        failures: [],
        notices: [],
      });
    });

    it.each(cases)(
      'names $name: $code at $index',
      async ({ name, tamper, code, index, first = index, names = '' }) => {
        const report = await copyAndVerify(name, tamper);
        const named = report.failures.filter((failure) => failure.code === code);
        expect(named.map((failure) => failure.index)).toContain(index);
        expect(named.map(({ detail }) => detail).join('\n')).toContain(names);
        expect(firstIndex(report)).toBe(first);
        expect(report).toMatchObject({ ok: false, [FAILURES[code].axis]: 'broken' });
      },
    );

    it('gives the same reports when threads check the bundles first', async () => {
      const threads = startThreads(
        verified.flatMap(({ bundles }) => bundles),
        { threadCount: 2, findKeys, entry: entryOf(BUNDLE_WORKER) },
      );
      const found: unknown[] = [];
      const next = async () => {
        const sound = await threads.next();
        if (sound !== undefined) found.push(sound);
        return sound;
      };
      const lookAhead = () => ({ next, close: () => Promise.resolve() });
      const options = { pinnedVkeys: [LOG_SIGNER.vkey], findKeys };
      for (const { name, dir, report } of verified)
        expect(await verifyArchive({ dir, ...options, lookAhead }), name).toEqual(report);
      await threads.close();
      // Of the untouched archive at least, all bundles came from the threads.
      expect(found.length).toBeGreaterThanOrEqual(sizes.length);
    });
  });
}
