/**
 * Audit paths for many leaves of a large tree with little memory. In: leaf hashes, in order. Out: a tree that keeps
 * only the roots of blocks of 256 leaves and the nodes above them. A path needs the leaf hashes of its block again.
 */
import { emptyRoot, nodeHash } from '../../store/chain/merkle.ts';

export const LEAVES_PER_BLOCK = 256;

type Level = readonly Uint8Array[];

export interface InclusionTree {
  readonly size: number;
  readonly root: Uint8Array;
  /** The block that begins at `start`, with the hashes of its leaves to its end or the end of the tree. */
  block(start: number, leafHashes: readonly Uint8Array[]): InclusionBlock;
}

/** A block whose leaves are hashed once for all its paths. */
export interface InclusionBlock {
  /** RFC 6962 section 2.1.1 audit path of a leaf of the block, from the leaf upwards to the root of the tree. */
  path(index: number): Uint8Array[];
}

export interface InclusionTreeBuilder {
  /** Leaf hashes in log order, any number at a time. */
  add(leafHashes: readonly Uint8Array[]): void;
  finish(): InclusionTree;
}

export function blockStart(index: number): number {
  return index - (index % LEAVES_PER_BLOCK);
}

export function buildInclusionTree(): InclusionTreeBuilder {
  const blockRoots: Uint8Array[] = [];
  let open: Uint8Array[] = [];
  let size = 0;
  const closeBlock = () => {
    if (open.length === 0) return;
    blockRoots.push(topOf(levelsOf(open)));
    open = [];
  };
  return {
    add: (leafHashes) => {
      for (const leafHash of leafHashes) {
        open.push(leafHash);
        size += 1;
        if (open.length === LEAVES_PER_BLOCK) closeBlock();
      }
    },
    finish: () => {
      closeBlock();
      const upper = levelsOf(blockRoots);
      return {
        size,
        root: size === 0 ? emptyRoot() : topOf(upper),
        block: (start, leafHashes) => {
          const lower = levelsOf(leafHashes);
          const above = siblings(upper, start / LEAVES_PER_BLOCK);
          return {
            path: (index) => {
              if (index < start || index >= start + leafHashes.length)
                throw new RangeError('leaf not in block');
              return [...siblings(lower, index - start), ...above];
            },
          };
        },
      };
    },
  };
}

/**
 * All levels from the leaves to the root. A last node without a sibling moves up unchanged, which gives the same
 * tree as RFC 6962's split at the largest power of two.
 */
function levelsOf(leaves: Level): Level[] {
  const levels: Level[] = [leaves];
  let level = leaves;
  while (level.length > 1) {
    level = parentsOf(level);
    levels.push(level);
  }
  return levels;
}

function parentsOf(level: Level): Uint8Array[] {
  const parents: Uint8Array[] = [];
  for (let at = 0; at < level.length; at += 2) {
    const left = level[at];
    const right = level[at + 1];
    if (left !== undefined) parents.push(right === undefined ? left : nodeHash(left, right));
  }
  return parents;
}

function topOf(levels: readonly Level[]): Uint8Array {
  return levels.at(-1)?.[0] ?? emptyRoot();
}

function siblings(levels: readonly Level[], index: number): Uint8Array[] {
  return levels.flatMap((level, height) => {
    const sibling = level[siblingOf(Math.floor(index / 2 ** height))];
    return sibling === undefined ? [] : [sibling];
  });
}

function siblingOf(position: number): number {
  return position % 2 === 0 ? position + 1 : position - 1;
}
