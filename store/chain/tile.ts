/**
 * Hash tiles as C2SP tlog-tiles defines them: 256 hashes of one level of the tree, side by side. In: leaf hashes in log
 * order. Out: the tiles that are full. Pure.
 */
import { rootOf } from './merkle.ts';

/** Levels of the Merkle tree in one level of tiles. */
export const TILE_HEIGHT = 8;
export const TILE_WIDTH = 2 ** TILE_HEIGHT;
export const HASH_BYTES = 32;
/** A full tile of a higher level holds more leaves than an index can count. */
export const MAX_TILE_LEVEL = 5;

/** Leaves under a full tile of a level. */
export function leavesUnder(level: number): number {
  return TILE_WIDTH ** (level + 1);
}

/** A full tile. Hash n of level 0 is that of leaf n; above, the root of full tile n of the level below. */
export interface Tile {
  readonly level: number;
  readonly index: number;
  /** So many of its first hashes are not known: they were there before the row began. */
  readonly unknown: number;
  /** The other hashes, in order. */
  readonly hashes: readonly Uint8Array[];
}

/** A tile that is not full yet. */
interface Row {
  index: number;
  unknown: number;
  hashes: Uint8Array[];
}

/** The right edge of the tiles of a log. `add` takes leaf after leaf. */
export class TileRows {
  readonly #rows: readonly Row[];
  #size: number;

  /** Begins behind the first `size` leaves, without knowing them. */
  constructor(size: number) {
    this.#size = size;
    this.#rows = Array.from({ length: MAX_TILE_LEVEL + 1 }, (_, level) => {
      const count = Math.floor(size / TILE_WIDTH ** level);
      return { index: Math.floor(count / TILE_WIDTH), unknown: count % TILE_WIDTH, hashes: [] };
    });
  }

  get size(): number {
    return this.#size;
  }

  /** The tiles that this leaf makes full, lowest level first. */
  add(leafHash: Uint8Array): Tile[] {
    this.#size += 1;
    const full: Tile[] = [];
    let hash: Uint8Array | undefined = leafHash;
    for (const [level, row] of this.#rows.entries()) {
      put(row, hash);
      if (row.unknown + row.hashes.length < TILE_WIDTH) break;
      const tile: Tile = { level, index: row.index, unknown: row.unknown, hashes: row.hashes };
      full.push(tile);
      hash = tile.unknown === 0 ? rootOf(tile.hashes) : undefined;
      Object.assign(row, { index: row.index + 1, unknown: 0, hashes: [] } satisfies Row);
    }
    return full;
  }
}

/** An unknown hash hides those before it, because a tile is unknown from its beginning on. */
function put(row: Row, hash: Uint8Array | undefined): void {
  if (hash !== undefined) {
    row.hashes.push(hash);
    return;
  }
  row.unknown += row.hashes.length + 1;
  row.hashes = [];
}

/** Bytes of hashes side by side. */
export function tileBytes(hashes: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(hashes);
}

/** The hashes of a tile; undefined where the bytes are not those of `width` hashes. */
export function tileHashes(bytes: Uint8Array, width = TILE_WIDTH): Uint8Array[] | undefined {
  if (bytes.length !== width * HASH_BYTES) return undefined;
  return Array.from({ length: width }, (_, at) => bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));
}
