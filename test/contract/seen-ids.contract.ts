import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SeenIds } from '../../ingest/seen-ids.ts';

export interface SeenIdsUnderTest {
  /** Opens the same ids again, as after a restart; earlier handles are closed. */
  open(): Promise<SeenIds>;
  dispose(): Promise<void>;
}

export const idOf = (name: string | number): string =>
  createHash('sha256').update(String(name)).digest('hex');

/** What every adapter of the SeenIds port must do. */
export function seenIdsContract(adapter: string, prepare: () => Promise<SeenIdsUnderTest>): void {
  describe(`SeenIds contract: ${adapter}`, () => {
    let subject: SeenIdsUnderTest;
    beforeEach(async () => {
      subject = await prepare();
    });
    afterEach(async () => {
      await subject.dispose();
    });

    it('knows nothing at first', async () => {
      const seen = await subject.open();
      expect(await seen.size()).toBe(0);
      expect(await seen.has([idOf('a')])).toEqual(new Set());
    });

    it('answers exactly the added ids among those asked for', async () => {
      const seen = await subject.open();
      await seen.add([idOf('a'), idOf('b')], 2);
      expect(await seen.has([idOf('c'), idOf('b'), idOf('a')])).toEqual(new Set([idOf('a'), idOf('b')]));
      expect(await seen.size()).toBe(2);
    });

    it('adds idempotently and never moves size back', async () => {
      const seen = await subject.open();
      await seen.add([idOf('a'), idOf('a')], 7);
      await seen.add([idOf('a')], 3);
      expect(await seen.size()).toBe(7);
      expect(await seen.has([idOf('a')])).toEqual(new Set([idOf('a')]));
    });

    it('moves size without ids, for bundles that held only repetitions', async () => {
      const seen = await subject.open();
      await seen.add([], 5);
      expect(await seen.size()).toBe(5);
    });

    it('keeps ids and size over a restart', async () => {
      const first = await subject.open();
      await first.add([idOf('a')], 1);
      await first.close();
      const second = await subject.open();
      expect(await second.size()).toBe(1);
      expect((await second.has([idOf('a')])).size).toBe(1);
    });

    it('forgets everything on clear and can be fed again', async () => {
      const seen = await subject.open();
      await seen.add([idOf('a'), idOf('b')], 2);
      await seen.clear();
      expect(await seen.size()).toBe(0);
      expect(await seen.has([idOf('a'), idOf('b')])).toEqual(new Set());
      await seen.add([idOf('b')], 1);
      expect(await seen.has([idOf('a'), idOf('b')])).toEqual(new Set([idOf('b')]));
    });

    it('tells apart ids that differ in the last digit only', async () => {
      const seen = await subject.open();
      const id = idOf('a');
      const near = `${id.slice(0, 63)}${id.endsWith('0') ? '1' : '0'}`;
      await seen.add([id], 1);
      expect(await seen.has([near])).toEqual(new Set());
    });

    it('holds a large batch', async () => {
      const seen = await subject.open();
      const ids = Array.from({ length: 5000 }, (_, index) => idOf(index));
      await seen.add(ids, 5000);
      expect((await seen.has(ids)).size).toBe(5000);
    });

    it('closes twice', async () => {
      const seen = await subject.open();
      await seen.close();
      await seen.close();
    });
  });
}
