import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rootOf } from '../../../store/chain/merkle.ts';
import { TileRows, TILE_WIDTH, tileBytes, tileHashes, type Tile } from '../../../store/chain/tile.ts';

const leaf = (n: number) => createHash('sha256').update(String(n)).digest();
const hex = (hashes: readonly Uint8Array[]) => Buffer.from(tileBytes(hashes)).toString('hex');

function tilesOf(from: number, to: number): Tile[] {
  const rows = new TileRows(from);
  return Array.from({ length: to - from }, (_, n) => rows.add(leaf(from + n))).flat();
}

describe('the tiles of a log', () => {
  it('hold 256 leaf hashes each, and above them the roots of 256 tiles', () => {
    const tiles = tilesOf(0, 65_536 + 300);
    const lowest = tiles.filter(({ level }) => level === 0);
    expect(lowest.map(({ index }) => index)).toEqual(Array.from({ length: 257 }, (_, index) => index));
    const leaves = Array.from({ length: 65_536 }, (_, n) => leaf(n));
    expect(hex(lowest[3]!.hashes)).toBe(hex(leaves.slice(768, 1024)));
    const [upper, ...others] = tiles.filter(({ level }) => level > 0);
    expect(others).toEqual([]);
    expect(upper).toMatchObject({ level: 1, index: 0, unknown: 0 });
    expect(hex(upper!.hashes.slice(0, 2))).toBe(
      hex([rootOf(leaves.slice(0, 256)), rootOf(leaves.slice(256, 512))]),
    );
    expect(rootOf(upper!.hashes)).toEqual(rootOf(leaves));
  });

  it('are the same from any size on, but for the hashes before it', () => {
    const whole = new Map(tilesOf(0, 70_000).map((tile) => [`${tile.level}/${tile.index}`, tile]));
    fc.assert(
      fc.property(fc.nat({ max: 69_000 }), (from) => {
        const tiles = tilesOf(from, 70_000);
        expect(tiles.length).toBeGreaterThan(0);
        for (const { level, index, unknown, hashes } of tiles) {
          expect(unknown + hashes.length).toBe(TILE_WIDTH);
          expect(hex(hashes)).toBe(hex(whole.get(`${level}/${index}`)!.hashes.slice(unknown)));
        }
        const known = from % TILE_WIDTH === 0 ? 0 : TILE_WIDTH - (from % TILE_WIDTH);
        if (known > 0) expect(tiles[0]!.hashes).toHaveLength(known);
      }),
      { numRuns: 20 },
    );
  });

  it('read back as hashes, where they have the length of so many', () => {
    const hashes = [leaf(0), leaf(1)];
    expect(tileHashes(tileBytes(hashes), 2)).toEqual(hashes);
    expect(tileHashes(tileBytes(hashes))).toBeUndefined();
    expect(tileHashes(Buffer.alloc(8_191))).toBeUndefined();
    expect(tileHashes(Buffer.alloc(8_193))).toBeUndefined();
  });
});
