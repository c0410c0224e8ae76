import { describe, expect, it } from 'vitest';
import { tileKey } from '../../../store/chain/layout.ts';
import { rootOf } from '../../../store/chain/merkle.ts';
import { tileBytes } from '../../../store/chain/tile.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { createTilesProjection } from '../../../store/projections/tiles.ts';
import { createTestLog } from '../../support/ledger.ts';
import { hashOf, leavesOf, sealSizes } from '../../support/long-log.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

async function setUp(sizes: readonly number[]) {
  const archive = createMemoryArchive();
  const options = await createTestLog({ archive, records: createMemoryRecordStore() });
  await sealSizes(options, sizes);
  const [rows] = options.projections;
  /** As a process that starts anew. */
  const restarted = () => ({
    ...options,
    projections: [rows!, createTilesProjection({ log: 'p0', archive })],
  });
  return { archive, options, restarted };
}

const tilesIn = (objects: ReadonlyMap<string, Uint8Array>) =>
  [...objects].filter(([key]) => key.includes('/tile/')).sort(([left], [right]) => (left < right ? -1 : 1));

describe('the hash tiles of a log', () => {
  it('lie in the archive once they are full, whatever the bundles', async () => {
    const { archive } = await setUp([200, 100, 1, 300, 167]);
    const leaves = (await leavesOf(archive)).map(hashOf);
    expect(tilesIn(archive.objects)).toEqual([
      [tileKey('p0', 0, 0), new Uint8Array(tileBytes(leaves.slice(0, 256)))],
      [tileKey('p0', 0, 1), new Uint8Array(tileBytes(leaves.slice(256, 512)))],
      [tileKey('p0', 0, 2), new Uint8Array(tileBytes(leaves.slice(512, 768)))],
    ]);
  });

  it('are put before the checkpoint that covers their leaves', async () => {
    const { archive } = await setUp([100, 600]);
    const keys = [...archive.objects.keys()].filter((key) => /\/(?:bundle|tile|checkpoint)\//.test(key));
    expect(keys.map((key) => key.split('/')[2])).toEqual([
      'bundle',
      'checkpoint',
      'bundle',
      'tile',
      'tile',
      'checkpoint',
    ]);
  });

  it.each([[[tileKey('p0', 0, 2)]], [[tileKey('p0', 0, 1), tileKey('p0', 0, 2)]]])(
    'that a dead process did not put are put by the next start: %j',
    async (lost) => {
      const { archive, restarted } = await setUp([200, 600]);
      const before = tilesIn(archive.objects);
      for (const key of lost) archive.objects.delete(key);
      await openLedger(restarted());
      expect(tilesIn(archive.objects)).toEqual(before);
    },
  );

  it('go on after a start in the middle of a tile, also of one above', async () => {
    const { archive, restarted } = await setUp([40_000, 300]);
    await sealSizes(restarted(), [10_000, 15_300]);
    const leaves = (await leavesOf(archive)).map(hashOf);
    const upper = archive.objects.get(tileKey('p0', 1, 0))!;
    const roots = Array.from({ length: 256 }, (_, n) => rootOf(leaves.slice(n * 256, n * 256 + 256)));
    expect(Buffer.from(upper).equals(tileBytes(roots))).toBe(true);
    expect(tilesIn(archive.objects)).toHaveLength(257);
  });

  it('are all put again when they were cleared, and another one there is damage', async () => {
    const { archive, options, restarted } = await setUp([600]);
    const before = tilesIn(archive.objects);
    archive.objects.delete(tileKey('p0', 0, 0));
    const cleared = restarted();
    await cleared.projections[1]!.clear();
    await openLedger(cleared);
    expect(tilesIn(archive.objects)).toEqual(before);
    archive.objects.set(tileKey('p0', 0, 1), new Uint8Array(8_192));
    const again = restarted();
    await again.projections[1]!.clear();
    await expect(openLedger(again)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    expect(options.log).toBe('p0');
  });

  it('refuse a start where they hold more leaves than the bundles', async () => {
    const { archive, restarted } = await setUp([300, 300]);
    for (const key of [...archive.objects.keys()])
      if (/\/(?:bundle|checkpoint)\/.*0(?:300|600)$/.test(key)) archive.objects.delete(key);
    const guard = { latest: () => Promise.resolve(undefined), advance: () => Promise.resolve() };
    const [, tiles] = restarted().projections;
    await expect(openLedger({ ...restarted(), guard, projections: [tiles!] })).rejects.toThrow(
      'the hash tiles hold 512 leaves of p0, the archive only 300',
    );
  });

  it('make a start read only the bundles behind the last full tile', async () => {
    const { archive, restarted } = await setUp([...Array.from({ length: 20 }, () => 100), 60]);
    const read: string[] = [];
    const watched = {
      ...archive,
      get: (key: string) => {
        read.push(key);
        return archive.get(key);
      },
    };
    const options = restarted();
    const projections = [options.projections[0]!, createTilesProjection({ log: 'p0', archive: watched })];
    await openLedger({ ...options, archive: watched, projections });
    const bundles = new Set(read.filter((key) => key.includes('/bundle/')));
    // 2,060 leaves fill eight tiles of 256: the leaf at 2,048 lies in the bundle at 2,000.
    expect([...bundles].map((key) => Number(key.slice(-20))).sort()).toEqual([1900, 2000]);
  });
});
