import { beforeAll, describe, expect, it } from 'vitest';
import { openArchivedTree } from '../../../store/ledger/archived-tree.ts';
import { inclusionProof, rootFromInclusion, rootOf } from '../../../store/chain/merkle.ts';
import { createTestLog } from '../../support/ledger.ts';
import { hashOf, leavesOf, sealSizes } from '../../support/long-log.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

const archive = createMemoryArchive();
let texts: string[];
let leaves: Uint8Array[];
const hexes = (hashes: readonly Uint8Array[]) => hashes.map((hash) => Buffer.from(hash).toString('hex'));

beforeAll(async () => {
  const options = await createTestLog({ archive, records: createMemoryRecordStore() });
  await sealSizes(options, [1, 254, 1, 300, 212, 30_000, 40_000, 77]);
  texts = await leavesOf(archive);
  leaves = texts.map(hashOf);
}, 120_000);

describe('the tree of a log, read from its archive', () => {
  it.each([1, 2, 255, 256, 257, 556, 768, 30_768, 65_536, 70_000, 70_768, 70_845])(
    'has the audit paths of RFC 6962 at size %i',
    async (size) => {
      const tree = openArchivedTree({ archive, log: 'p0' });
      const known = leaves.slice(0, size);
      for (const index of [0, Math.floor(size / 3), Math.floor(size / 2), size - 2, size - 1]) {
        if (index < 0) continue;
        expect(hexes(await tree.path(index, size))).toEqual(hexes(inclusionProof(index, known)));
      }
    },
  );

  it('leads each leaf of a range to the root', async () => {
    const tree = openArchivedTree({ archive, log: 'p0' });
    const root = rootOf(leaves);
    const size = leaves.length;
    for (let index = 65_000; index < 66_000; index += 37)
      expect(rootFromInclusion({ index, size }, leaves[index]!, await tree.path(index, size))).toEqual(root);
  });

  it.each(['none', 'a lowest', 'an upper', 'a cut'])(
    'makes the same of a log with %s tile lost',
    async (which) => {
      const objects = new Map(archive.objects);
      const key = [...objects.keys()].find((one) =>
        one.includes(which === 'an upper' ? '/tile/1/' : '/tile/0/'),
      )!;
      if (which === 'a cut') objects.set(key, objects.get(key)!.subarray(0, 4_096));
      else if (which !== 'none') objects.delete(key);
      const tree = openArchivedTree({
        archive: { ...archive, get: (one) => Promise.resolve(objects.get(one)) },
        log: 'p0',
      });
      expect(hexes(await tree.path(3, 70_845))).toEqual(hexes(inclusionProof(3, leaves)));
    },
  );

  it('has the tiles of any size, the last of each level as far as it goes', async () => {
    const tree = openArchivedTree({ archive, log: 'p0' });
    const tile = async (level: number, index: number, size: number) =>
      hexes(await tree.tile({ level, index }, size));
    expect(await tile(0, 0, 70_845)).toEqual(hexes(leaves.slice(0, 256)));
    expect(await tile(0, 276, 70_845)).toEqual(hexes(leaves.slice(70_656, 70_845)));
    expect(await tile(0, 277, 70_845)).toEqual([]);
    expect(await tile(1, 1, 70_845)).toEqual(
      hexes(Array.from({ length: 20 }, (_, n) => rootOf(leaves.slice(65_536 + n * 256, 65_792 + n * 256)))),
    );
    expect(await tile(2, 0, 70_845)).toEqual(hexes([rootOf(leaves.slice(0, 65_536))]));
    expect(await tile(3, 0, 70_845)).toEqual([]);
  });

  it('has the leaves of any range', async () => {
    const tree = openArchivedTree({ archive, log: 'p0' });
    expect(await tree.entries(0, 256)).toEqual(texts.slice(0, 256));
    expect(await tree.entries(2, 256)).toEqual(texts.slice(512, 768));
    expect(await tree.entries(276, 189)).toEqual(texts.slice(70_656, 70_845));
    await expect(tree.entries(276, 190)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });

  it('reads few objects for a proof', async () => {
    let reads = 0;
    const counted = {
      ...archive,
      get: (key: string) => {
        reads += 1;
        return archive.get(key);
      },
    };
    const tree = openArchivedTree({ archive: counted, log: 'p0' });
    await tree.path(5, 70_845);
    // The newest bundle, whose header has the roots at the right edge, the tile of the leaf and the one above.
    expect(reads).toBe(3);
    const before = reads;
    await tree.path(6, 70_845);
    expect(reads).toBe(before);
  });
});
