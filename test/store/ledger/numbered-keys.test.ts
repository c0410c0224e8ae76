import { describe, expect, it } from 'vitest';
import type { Archive } from '../../../store/archive/archive.ts';
import { bundleKeys, lastNumber, lastNumberUpTo, numbersAfter } from '../../../store/ledger/numbered-keys.ts';
import { testLock } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';

const keys = bundleKeys('p0');
/** Keys in one answer of an object store. */
const KEYS_PER_PAGE = 1_000;

/** An archive that counts the requests its lists would take of an object store. */
async function archiveOf(...numbers: number[]) {
  const archive = createMemoryArchive();
  for (const number of numbers) await archive.put(keys.at(number), Buffer.from('x'), testLock());
  let requests = 0;
  const counted: Archive = {
    ...archive,
    async *list(prefix, after) {
      requests += 1;
      let listed = 0;
      for await (const key of archive.list(prefix, after)) {
        listed += 1;
        if (listed > KEYS_PER_PAGE) {
          requests += 1;
          listed = 1;
        }
        yield key;
      }
    },
    folders(prefix) {
      requests += 1;
      return archive.folders(prefix);
    },
  };
  return { archive: counted, requests: () => requests };
}

describe('the last number of a log', () => {
  it.each([
    [[0], 0],
    [[0, 40_000, 70_000], 70_000],
    [[0, 999, 1_000], 1_000],
    [[999_999, 1_000_000, 999_999_999, 1_000_000_000], 1_000_000_000],
  ])('of %j is found in four requests', async (numbers, last) => {
    const { archive, requests } = await archiveOf(...numbers);
    expect(await lastNumber(archive, keys)).toBe(last);
    expect(requests()).toBe(4);
  });

  it.each([
    [70_001, 70_000],
    [70_000, 70_000],
    [69_999, 40_000],
    [40_000, 40_000],
    [39_999, 0],
    [0, 0],
    [10_000_000_000_000, 70_000],
  ])('not above %i is %i', async (upTo, last) => {
    const { archive } = await archiveOf(0, 40_000, 70_000);
    expect(await lastNumberUpTo(archive, keys, upTo)).toBe(last);
  });

  it('is none in an empty log, and below the first', async () => {
    expect(await lastNumber((await archiveOf()).archive, keys)).toBeUndefined();
    expect(await lastNumberUpTo((await archiveOf()).archive, keys, 99_999)).toBeUndefined();
    expect(await lastNumberUpTo((await archiveOf(5)).archive, keys, 4)).toBeUndefined();
  });

  it('of ten thousand bundles is found in four requests, and of any leaf in three', async () => {
    const { archive, requests } = await archiveOf(...Array.from({ length: 10_000 }, (_, n) => n * 200));
    expect(await lastNumber(archive, keys)).toBe(1_999_800);
    expect(requests()).toBe(4);
    for (const leaf of [0, 199, 200, 1_000_123, 1_999_999]) {
      const before = requests();
      expect(await lastNumberUpTo(archive, keys, leaf)).toBe(Math.floor(leaf / 200) * 200);
      expect(requests() - before).toBeLessThanOrEqual(3);
    }
  });

  it('of bundles that are larger than a folder is found in as few', async () => {
    const { archive, requests } = await archiveOf(...Array.from({ length: 500 }, (_, n) => n * 5_000));
    expect(await lastNumberUpTo(archive, keys, 1_204_999)).toBe(1_200_000);
    expect(requests()).toBeLessThanOrEqual(3);
  });

  it('is found behind folders without objects, which a dead writer left', async () => {
    const { archive } = await archiveOf(7);
    const folders = archive.folders.bind(archive);
    const left = async (prefix: string) => [
      ...(await folders(prefix)),
      prefix.endsWith('bundle/') ? '00000000001' : '001',
    ];
    archive.folders = async (prefix) => (prefix.includes('00000000001') ? [] : left(prefix));
    expect(await lastNumber(archive, keys)).toBe(7);
  });

  it('follows in order from any number', async () => {
    const { archive } = await archiveOf(0, 10, 20, 1_000, 1_000_000);
    const listed: number[] = [];
    for await (const number of numbersAfter(archive, keys, -1)) listed.push(number);
    for await (const number of numbersAfter(archive, keys, 10)) listed.push(number);
    expect(listed).toEqual([0, 10, 20, 1_000, 1_000_000, 20, 1_000, 1_000_000]);
  });
});
