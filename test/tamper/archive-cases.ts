/** Tamper cases on archives: what is done to a copy, and what verification must call it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAILURES, type FailureCode } from '../../schemas/verification.ts';
import { verifyArchive } from '../../store/chain/verify/archive.ts';
import { replaceObject } from '../support/archive-folder.ts';
import { createTestSigner } from '../support/ledger.ts';
import { copyOf, firstIndex, forgeBundle, sealArchive, TREE_SIZE, type SealedArchive } from './forge.ts';

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

export const exchanged = (texts: string[], left: number, right: number) =>
  texts.with(left, texts[right]!).with(right, texts[left]!);

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

/** One suite: the untouched archive verifies, and each case is named by its own code, place and file. */
export function describeArchiveCases(what: string, cases: readonly ArchiveCase[]): void {
  describe(`the archive, ${what}:`, () => {
    let sealed: SealedArchive;
    beforeAll(async () => {
      sealed = await sealArchive({ signer: LOG_SIGNER });
    });
    afterAll(() => sealed.dispose());

    it('verifies as long as nobody touched it', async () => {
      const copy = await copyOf(sealed.dir);
      expect(await verifyArchive({ dir: copy.dir, pinnedVkey: LOG_SIGNER.vkey })).toMatchObject({
        ok: true,
        anchoring: 'signed_by_pinned_key',
        tree_size: TREE_SIZE,
        failures: [],
        notices: [],
      });
      await copy.dispose();
    });

    it.each(cases)(
      'names $name: $code at $index',
      async ({ tamper, code, index, first = index, names = '' }) => {
        const copy = await copyOf(sealed.dir);
        await tamper(copy.dir);
        const report = await verifyArchive({ dir: copy.dir, pinnedVkey: LOG_SIGNER.vkey });
        await copy.dispose();
        const named = report.failures.filter((failure) => failure.code === code);
        expect(named.map((failure) => failure.index)).toContain(index);
        expect(named.map(({ detail }) => detail).join('\n')).toContain(names);
        expect(firstIndex(report)).toBe(first);
        expect(report).toMatchObject({ ok: false, [FAILURES[code].axis]: 'broken' });
      },
    );
  });
}
