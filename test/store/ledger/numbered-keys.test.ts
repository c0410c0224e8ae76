import { describe, expect, it } from 'vitest';
import { bundleKeys, lastNumber, numbersAfter } from '../../../store/ledger/numbered-keys.ts';
import { testLock } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';

const keys = bundleKeys('p0');

async function archiveOf(...numbers: number[]) {
  const archive = createMemoryArchive();
  for (const number of numbers) await archive.put(keys.at(number), Buffer.from('x'), testLock());
  return archive;
}

describe('the last number of a log', () => {
  it.each([0, 1, 1_023, 1_024, 5_000, 70_000, 1_000_000, 10_000_000])(
    'is found whatever the guess, as with %i',
    async (guess) => {
      const archive = await archiveOf(0, 40_000, 70_000);
      expect(await lastNumber(archive, keys, { guess })).toBe(70_000);
      expect(await lastNumber(archive, keys, { guess, upTo: 69_999 })).toBe(40_000);
      expect(await lastNumber(archive, keys, { guess, upTo: 39_999 })).toBe(0);
    },
  );

  it('is none in an empty log, and below the first', async () => {
    expect(await lastNumber(await archiveOf(), keys, { guess: 99_999 })).toBeUndefined();
    expect(await lastNumber(await archiveOf(5), keys, { guess: 4, upTo: 4 })).toBeUndefined();
  });

  it('is found without listing what lies far below a good guess', async () => {
    const archive = await archiveOf(...Array.from({ length: 500 }, (_, n) => n * 1_000));
    const list = archive.list.bind(archive);
    let listed = 0;
    archive.list = async function* (prefix, after) {
      for await (const key of list(prefix, after)) {
        listed += 1;
        yield key;
      }
    };
    expect(await lastNumber(archive, keys, { guess: 250_100, upTo: 250_100 })).toBe(250_000);
    expect(listed).toBeLessThan(5);
  });

  it('follows in order from any number', async () => {
    const archive = await archiveOf(0, 10, 20);
    const listed: number[] = [];
    for await (const number of numbersAfter(archive, keys, -1)) listed.push(number);
    for await (const number of numbersAfter(archive, keys, 10)) listed.push(number);
    expect(listed).toEqual([0, 10, 20, 20]);
  });
});
