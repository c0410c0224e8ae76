/**
 * The Merkle tree of a log, read from its archive. In: stored tiles, and bundles at the right edge. Out: audit paths, tiles
 * and leaves. A proof reads a few tiles; a tile that is not full is computed from the full tiles below it, and one of leaf
 * hashes from the bundles that hold them.
 */
import type { BundleHeader } from '../../schemas/bundle.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../archive/archive.ts';
import { bundleKey, tileKey } from '../chain/layout.ts';
import {
  frontierRoot,
  inclusionRanges,
  leafHash,
  perfectSubtrees,
  rootOf,
  type LeafRange,
} from '../chain/merkle.ts';
import { leavesUnder, TILE_HEIGHT, TILE_WIDTH, tileHashes } from '../chain/tile.ts';
import type { LogTree, TilePlace } from './log-tree.ts';
import { findBundle, readHeaderAndLeaves } from './sealed-bundles.ts';

export interface ArchivedTreeOptions {
  readonly archive: Archive;
  readonly log: string;
}

/** Roots of full tiles that are held: 32 bytes each, beside their keys. */
const MAX_HELD_ROOTS = 65_536;
/** Leaf texts that are held; those of the bundle that was read last are held whatever their number. */
const MAX_HELD_LEAVES = 20_000;
/** Tiles that are held: 8 KiB each. */
const MAX_HELD_TILES = 64;
/** Tiles that are read at once. */
const READS_AT_ONCE = 16;

export function openArchivedTree(options: ArchivedTreeOptions): LogTree {
  const tree = new ArchivedTree(options);
  return {
    path: (index, size) => tree.path(index, size),
    tile: (place, size) => tree.tile(place, size),
    entries: (index, count) => tree.leaves(index * TILE_WIDTH, index * TILE_WIDTH + count),
    reset: () => {
      tree.reset();
    },
  };
}

class ArchivedTree {
  readonly #archive: ArchivedTreeOptions['archive'];
  readonly #log: string;
  /** Roots of full tiles by key of the tile. */
  readonly #roots = new Map<string, Uint8Array>();
  /** Hashes of stored tiles by key; the one that was read last comes last. */
  readonly #tiles = new Map<string, readonly Uint8Array[]>();
  /** Roots of the perfect subtrees of the tree of a size, by their first leaf and the one behind their last. */
  #frontier: { readonly size: number; readonly roots: ReadonlyMap<string, Uint8Array> } | undefined;
  /** Leaf hashes of the tile that is not full. */
  #edge: { readonly from: number; readonly hashes: readonly Uint8Array[] } | undefined;
  /** Bundles by start index; the one that was read last comes last. */
  readonly #bundles = new Map<number, HeldBundle>();

  constructor({ archive, log }: ArchivedTreeOptions) {
    this.#archive = archive;
    this.#log = log;
  }

  reset(): void {
    this.#roots.clear();
    this.#tiles.clear();
    this.#frontier = undefined;
    this.#edge = undefined;
    this.#bundles.clear();
  }

  async path(index: number, size: number): Promise<Uint8Array[]> {
    await this.#takeFrontier(size);
    const path: Uint8Array[] = [];
    for (const range of inclusionRanges(index, size)) path.push(await this.#rootOfRange(range, size));
    return path;
  }

  async tile({ level, index }: TilePlace, size: number): Promise<readonly Uint8Array[]> {
    const first = index * TILE_WIDTH;
    const count = Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** level) - first);
    return count <= 0 ? [] : this.#hashes({ level, first, count }, size);
  }

  async leaves(from: number, to: number): Promise<readonly string[]> {
    const texts: string[] = [];
    while (from + texts.length < to) {
      const next = from + texts.length;
      const { start, leafTexts } = await this.#bundleOf(next);
      const found = leafTexts.slice(next - start, to - start);
      if (found.length === 0)
        throw new PipelineError('ARCHIVE_DAMAGED', `leaf ${String(next)} of ${this.#log} is in no bundle`);
      for (const text of found) texts.push(text);
    }
    return texts;
  }

  async #rootOfRange(range: LeafRange, size: number): Promise<Uint8Array> {
    const roots: Uint8Array[] = [];
    for (const { start, height } of perfectSubtrees(range)) {
      const end = start + 2 ** height;
      const known = this.#frontier?.size === size ? this.#frontier.roots.get(`${start}-${end}`) : undefined;
      if (known !== undefined) {
        roots.push(known);
        continue;
      }
      const level = Math.floor(height / TILE_HEIGHT);
      const place = { level, first: start / TILE_WIDTH ** level, count: 2 ** (height % TILE_HEIGHT) };
      roots.push(rootOf(await this.#hashes(place, size)));
    }
    return frontierRoot(roots);
  }

  /** The roots of the largest subtrees stand in the newest bundle, so that they need not be made of many tiles. */
  async #takeFrontier(size: number): Promise<void> {
    if (this.#frontier?.size === size) return;
    const { header } = await this.#bundleOf(size - 1);
    // Where no bundle ends at this size, the roots are made of tiles.
    if (header.tree_size !== size) return;
    const subtrees = perfectSubtrees({ start: 0, end: size });
    const roots = subtrees.map(({ start, height }, at): [string, Uint8Array] => [
      `${start}-${start + 2 ** height}`,
      Buffer.from(header.frontier[at] ?? '', 'hex'),
    ]);
    this.#frontier = { size, roots: new Map(roots) };
  }

  /** Hashes of one level, all of one tile. A tile that is not full is read as far as these hashes need it. */
  async #hashes({ level, first, count }: Span, size: number): Promise<readonly Uint8Array[]> {
    const index = Math.floor(first / TILE_WIDTH);
    const from = first - index * TILE_WIDTH;
    const isFull = (index + 1) * leavesUnder(level) <= size;
    const stored = isFull ? await this.#stored({ level, index }) : undefined;
    if (stored !== undefined) return stored.slice(from, from + count);
    if (level > 0) return this.#rootsOfTiles({ level: level - 1, first, count }, size);
    const edge = await this.#edgeHashes(index * TILE_WIDTH, Math.min((index + 1) * TILE_WIDTH, size));
    return edge.slice(from, from + count);
  }

  /** Hashes of the leaves [from, to), which are all those of one tile at the right edge. */
  async #edgeHashes(from: number, to: number): Promise<readonly Uint8Array[]> {
    if (this.#edge?.from === from && this.#edge.hashes.length >= to - from) return this.#edge.hashes;
    const texts = await this.leaves(from, to);
    const hashes = texts.map((text) => leafHash(Buffer.from(text)));
    this.#edge = { from, hashes };
    return hashes;
  }

  /** Undefined where it is not stored, or not of the length of a full tile: then it is computed. */
  async #stored({ level, index }: TilePlace): Promise<readonly Uint8Array[] | undefined> {
    const key = tileKey(this.#log, level, index);
    const held = this.#tiles.get(key);
    if (held !== undefined) return held;
    const bytes = await this.#archive.get(key);
    const hashes = bytes && tileHashes(bytes);
    if (hashes === undefined) return undefined;
    this.#tiles.set(key, hashes);
    const [oldest] = this.#tiles.keys();
    if (this.#tiles.size > MAX_HELD_TILES && oldest !== undefined) this.#tiles.delete(oldest);
    return hashes;
  }

  /** Roots of full tiles that follow each other. */
  async #rootsOfTiles({ level, first, count }: Span, size: number): Promise<Uint8Array[]> {
    const roots: Uint8Array[] = [];
    for (let done = 0; done < count; done = roots.length) {
      const indexes = Array.from(
        { length: Math.min(READS_AT_ONCE, count - done) },
        (_, n) => first + done + n,
      );
      roots.push(...(await Promise.all(indexes.map((index) => this.#rootOfTile({ level, index }, size)))));
    }
    return roots;
  }

  async #rootOfTile(place: TilePlace, size: number): Promise<Uint8Array> {
    const key = tileKey(this.#log, place.level, place.index);
    const held = this.#roots.get(key);
    if (held !== undefined) return held;
    const root = rootOf(await this.tile(place, size));
    if (this.#roots.size >= MAX_HELD_ROOTS) this.#roots.clear();
    this.#roots.set(key, root);
    return root;
  }

  async #bundleOf(index: number): Promise<HeldBundle> {
    for (const bundle of this.#bundles.values())
      if (bundle.start <= index && index < bundle.header.tree_size) return bundle;
    const start = await findBundle(this.#archive, this.#log, index);
    if (start === undefined)
      throw new PipelineError('ARCHIVE_DAMAGED', `leaf ${String(index)} of ${this.#log} is in no bundle`);
    const bundle = { start, ...(await readHeaderAndLeaves(this.#archive, bundleKey(this.#log, start))) };
    this.#hold(bundle);
    return bundle;
  }

  #hold(bundle: HeldBundle): void {
    this.#bundles.delete(bundle.start);
    this.#bundles.set(bundle.start, bundle);
    let count = 0;
    for (const { leafTexts } of this.#bundles.values()) count += leafTexts.length;
    for (const [oldest, { leafTexts }] of this.#bundles) {
      if (count <= MAX_HELD_LEAVES || oldest === bundle.start) break;
      this.#bundles.delete(oldest);
      count -= leafTexts.length;
    }
  }
}

interface HeldBundle {
  readonly start: number;
  readonly header: BundleHeader;
  readonly leafTexts: readonly string[];
}

/** Hashes `first` to `first + count - 1` of a level. */
interface Span {
  readonly level: number;
  readonly first: number;
  readonly count: number;
}
