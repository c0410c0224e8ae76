/**
 * Audit paths of a log without reading all of it. In: leaf hashes by range. Out: RFC 6962 audit paths. The roots of
 * complete blocks stay in memory (32 bytes per 256 records), so that a proof reads the block of its leaf and the last,
 * unfinished one. The cache is not trusted: callers check each path against a signed root.
 */
import { inclusionRanges, rootOf, type LeafRange } from '../../store/chain/merkle.ts';

/** A power of two, so that complete blocks are perfect subtrees and a range of them has the root of its leaves. */
const BLOCK_LEAVES = 256;
/** Blocks hashed between two turns of the event loop; bounds both memory and the pause of other requests. */
const BLOCKS_PER_READ = 32;

export interface ProofCache {
  /** Audit path of the leaf at `index` in the tree of the first `size` leaves, from the leaf upwards. */
  path(index: number, size: number): Promise<Uint8Array[]>;
  /** Empties the cache; for use after a path that led to a wrong root, since the rows may be repaired. */
  reset(): void;
}

/** `readLeafHashes` gives exactly the leaf hashes of the range, in order. */
export function buildProofCache(
  readLeafHashes: (range: LeafRange) => Promise<readonly Uint8Array[]>,
): ProofCache {
  let blockRoots: Uint8Array[] = [];
  let filling: Promise<void> = Promise.resolve();

  async function fill(roots: Uint8Array[], blockCount: number): Promise<void> {
    while (roots.length < blockCount) {
      const count = Math.min(BLOCKS_PER_READ, blockCount - roots.length);
      const start = roots.length * BLOCK_LEAVES;
      const hashes = await readLeafHashes({ start, end: start + count * BLOCK_LEAVES });
      for (let block = 0; block < count; block += 1) {
        roots.push(rootOf(hashes.slice(block * BLOCK_LEAVES, (block + 1) * BLOCK_LEAVES)));
      }
    }
  }

  /** One fill at a time; after a failed one the next request tries again. */
  async function filledTo(blockCount: number): Promise<readonly Uint8Array[]> {
    const roots = blockRoots;
    const fillAfterOthers = filling.catch(() => undefined).then(() => fill(roots, blockCount));
    filling = fillAfterOthers;
    await fillAfterOthers;
    return roots;
  }

  return {
    async path(index, size) {
      const ranges = inclusionRanges(index, size);
      const completeBlocks = Math.floor(size / BLOCK_LEAVES);
      const tailStart = completeBlocks * BLOCK_LEAVES;
      const ownStart = Math.floor(index / BLOCK_LEAVES) * BLOCK_LEAVES;
      const roots = await filledTo(completeBlocks);
      const own = await readLeafHashes({ start: ownStart, end: Math.min(ownStart + BLOCK_LEAVES, size) });
      const tail =
        ownStart === tailStart || tailStart === size
          ? own
          : await readLeafHashes({ start: tailStart, end: size });
      return ranges.map(({ start, end }) => {
        if (start >= ownStart && end <= ownStart + own.length) {
          return rootOf(own.slice(start - ownStart, end - ownStart));
        }
        const blocks = roots.slice(start / BLOCK_LEAVES, Math.floor(end / BLOCK_LEAVES));
        // RFC 6962 splits at powers of two, so an unfinished last block joins the tree as one leaf of blocks would.
        return rootOf(end > tailStart ? [...blocks, rootOf(tail)] : blocks);
      });
    },
    reset() {
      blockRoots = [];
    },
  };
}
