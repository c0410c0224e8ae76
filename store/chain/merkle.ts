/**
 * The Merkle tree of RFC 6962 section 2.1 over SHA-256, and the linear chain kept beside it.
 * In: leaf hashes in log order. Out: roots and audit paths. Pure; node:crypto only.
 */
import { sha256 } from './sha256.ts';

const RFC6962_LEAF_HASH_PREFIX = Uint8Array.of(0x00);
const RFC6962_NODE_HASH_PREFIX = Uint8Array.of(0x01);

/** Roots of the perfect subtrees that make up a tree, largest first: one per set bit of the tree size. */
export type Frontier = readonly Uint8Array[];

/** A half-open range of leaf indexes, [start, end). */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** RFC 6962 section 2.1: MTH({d(0)}) = SHA-256(0x00 || d(0)). */
export function leafHash(leafBytes: Uint8Array): Uint8Array {
  return digest(RFC6962_LEAF_HASH_PREFIX, leafBytes);
}

/** RFC 6962 section 2.1: SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return digest(RFC6962_NODE_HASH_PREFIX, left, right);
}

/** RFC 6962 section 2.1: MTH({}) = SHA-256(). */
export function emptyRoot(): Uint8Array {
  return digest();
}

/** Previous chain value of the leaf at index 0. */
export function chainStart(): Uint8Array {
  return new Uint8Array(32);
}

/** chain_hash[i] = SHA-256(chain_hash[i-1] || leaf_hash[i]): lets plain SQL find a break between two rows. */
export function chainHash(previous: Uint8Array, leaf: Uint8Array): Uint8Array {
  return digest(previous, leaf);
}

/** The frontier of a tree of `size` leaves after the given leaves are appended. */
export function appendLeaves(frontier: Frontier, size: number, leafHashes: readonly Uint8Array[]): Frontier {
  const roots = [...frontier];
  let count = size;
  for (const leaf of leafHashes) {
    let root = leaf;
    // Each trailing one bit of the count is a perfect subtree of the same height as `root`: join them.
    for (let bits = count; bits % 2 === 1; bits = Math.floor(bits / 2)) {
      const left = roots.pop();
      if (left === undefined) throw new RangeError('the frontier is shorter than its tree size demands');
      root = nodeHash(left, root);
    }
    roots.push(root);
    count += 1;
  }
  return roots;
}

/** Root hash of the tree that the frontier describes. */
export function frontierRoot(frontier: Frontier): Uint8Array {
  return frontier.length === 0 ? emptyRoot() : frontier.reduceRight((right, left) => nodeHash(left, right));
}

/** Root hash of the given leaves alone. */
export function rootOf(leafHashes: readonly Uint8Array[]): Uint8Array {
  return frontierRoot(appendLeaves([], 0, leafHashes));
}

/**
 * The subtrees whose roots are the audit path of a leaf, from the leaf upwards (RFC 6962 section 2.1.1, PATH).
 * The hashes of these ranges prove the leaf; nothing else of the tree is needed.
 */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size)
    throw new RangeError('leaf index not in tree');
  const path: LeafRange[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const split = start + largestPowerOfTwoBelow(end - start);
    if (index < split) {
      path.push({ start: split, end });
      end = split;
    } else {
      path.push({ start, end: split });
      start = split;
    }
  }
  return path.reverse();
}

/** A perfect subtree of 2^height leaves; `start` is a multiple of its width. */
export interface PerfectSubtree {
  readonly start: number;
  readonly height: number;
}

/**
 * The perfect subtrees that make up a range, from left to right. The range is a subtree of RFC 6962 section 2.1, whose
 * start is a multiple of the width of each; its root is the one of their roots as a frontier.
 */
export function perfectSubtrees({ start, end }: LeafRange): PerfectSubtree[] {
  const subtrees: PerfectSubtree[] = [];
  for (let next = start; next < end;) {
    let height = 0;
    while (2 ** (height + 1) <= end - next) height += 1;
    subtrees.push({ start: next, height });
    next += 2 ** height;
  }
  return subtrees;
}

/** Audit path of a leaf, from the leaf upwards (RFC 6962 section 2.1.1). `leafHashes` are those of the whole tree. */
export function inclusionProof(index: number, leafHashes: readonly Uint8Array[]): Uint8Array[] {
  return inclusionRanges(index, leafHashes.length).map(({ start, end }) =>
    rootOf(leafHashes.slice(start, end)),
  );
}

/**
 * The root that an audit path leads to, or undefined if the path cannot belong to that index and size
 * (RFC 9162 section 2.1.3.2, which states the check for the paths of RFC 6962).
 */
export function rootFromInclusion(
  position: { readonly index: number; readonly size: number },
  leaf: Uint8Array,
  path: readonly Uint8Array[],
): Uint8Array | undefined {
  if (position.index < 0 || position.index >= position.size) return undefined;
  const ranges = inclusionRanges(position.index, position.size);
  if (ranges.length !== path.length) return undefined;
  return path.reduce((root, sibling, step) => {
    const isLeftSibling = (ranges[step]?.start ?? 0) < position.index;
    return isLeftSibling ? nodeHash(sibling, root) : nodeHash(root, sibling);
  }, leaf);
}

function largestPowerOfTwoBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function digest(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.from(sha256('binary', ...parts), 'latin1');
}
