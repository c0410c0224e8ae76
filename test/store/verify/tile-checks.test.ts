import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { BundleHeader } from '../../../schemas/bundle.ts';
import { tileKey } from '../../../store/chain/layout.ts';
import { sha256Hex } from '../../../store/chain/leaf.ts';
import { rootOf } from '../../../store/chain/merkle.ts';
import { tileBytes, TileRows } from '../../../store/chain/tile.ts';
import type { LogRun } from '../../../store/verify/log-run.ts';
import { createFindings } from '../../../store/verify/report.ts';
import { checkTiles } from '../../../store/verify/tile-checks.ts';
import { joinHashes } from '../../../store/verify/tree.ts';
import { testLock } from '../../support/ledger.ts';

const SIZE = 65_536;
const leaves = Array.from({ length: SIZE }, (_, n) => createHash('sha256').update(String(n)).digest());
const UPPER = tileKey('p0', 1, 0);

/** Tiles as they should be. */
function wholeTiles(): Map<string, Buffer> {
  const tiles = new Map<string, Buffer>();
  const roots = Array.from({ length: 256 }, (_, index) => {
    const hashes = leaves.slice(index * 256, (index + 1) * 256);
    tiles.set(tileKey('p0', 0, index), Buffer.from(tileBytes(hashes)));
    return rootOf(hashes);
  });
  return tiles.set(UPPER, Buffer.from(tileBytes(roots)));
}

/** Failures of one bundle with all leaves behind `from`. */
async function failuresOf(tiles: ReadonlyMap<string, Buffer>, from = 0) {
  const findings = createFindings();
  const run = {
    findings,
    listing: { log: 'p0', tiles: new Map<string, number>(), early: { checkpoints: [SIZE], bundles: [0] } },
    reader: {
      read: (key: string) => {
        const bytes = tiles.get(key);
        return Promise.resolve(bytes && { bytes, sha256: sha256Hex(bytes), sizeBytes: bytes.length });
      },
      checkLock: () => Promise.resolve(testLock()),
    },
  } as unknown as LogRun;
  const header = { lock: testLock() } as BundleHeader;
  await checkTiles(run, new TileRows(from), { header, leafHashes: joinHashes(leaves.slice(from)) });
  return findings.failures().map(({ code, index, detail }) => [code, index, detail.split(' ')[0]]);
}

describe('the tiles of a level above the leaves', () => {
  it('pass where they hold the roots of the tiles below', async () => {
    expect(await failuresOf(wholeTiles())).toEqual([]);
  });

  it.each([0, 31, 4_096, 8_191])('are named where byte %i differs', async (place) => {
    const tiles = wholeTiles();
    tiles.get(UPPER)![place]! ^= 1;
    expect(await failuresOf(tiles)).toEqual([['tile_mismatch', 0, UPPER]]);
  });

  it('are named where they are gone or of another length', async () => {
    const tiles = wholeTiles();
    const upper = tiles.get(UPPER)!;
    tiles.set(UPPER, upper.subarray(32));
    expect(await failuresOf(tiles)).toEqual([['tile_mismatch', 0, UPPER]]);
    tiles.delete(UPPER);
    expect(await failuresOf(tiles)).toEqual([['tile_missing', 0, UPPER]]);
  });

  it('are compared as far as the leaves below them were read', async () => {
    const tiles = wholeTiles();
    expect(await failuresOf(tiles, 1_000)).toEqual([]);
    tiles.get(UPPER)![4 * 32]! ^= 1;
    expect(await failuresOf(tiles, 1_000)).toEqual([['tile_mismatch', 0, UPPER]]);
    tiles.set(UPPER, wholeTiles().get(UPPER)!.subarray(32));
    expect(await failuresOf(tiles, 1_000)).toEqual([['tile_mismatch', 0, UPPER]]);
  });
});
