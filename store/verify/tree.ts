/** The Merkle tree that the leaves of a log make, bundle after bundle. Pure. */
import type { BundleHeader } from '../../schemas/bundle.ts';
import { appendLeaves, chainHash, frontierRoot, type Frontier } from '../chain/merkle.ts';
import { HASH_BYTES } from '../chain/tile.ts';
import type { Findings } from './report.ts';

/** The log up to a size. */
export interface TreeState {
  readonly size: number;
  readonly frontier: Frontier;
  readonly chainHead: Uint8Array;
}

/**
 * Appends the leaves to the tree and compares with the header. SPEC (archive.md): root_hash and frontier are those of
 * the tree after the last leaf (RFC 6962 section 2.1); chain_head is chain_hash of the last leaf.
 *
 * Without a state before (an older bundle was unreadable) only the header itself can be checked. Where the leaves do not
 * lead to the header's root, the next bundle is still judged from that root, so that one bad bundle breaks no others.
 */
export function growTree(
  before: TreeState | undefined,
  { header, leafHashes }: { readonly header: BundleHeader; readonly leafHashes: Uint8Array },
  findings: Findings,
): TreeState | undefined {
  const claimed: TreeState = {
    size: header.tree_size,
    frontier: header.frontier.map((hash) => Buffer.from(hash, 'hex')),
    chainHead: Buffer.from(header.chain_head, 'hex'),
  };
  // RFC 6962 section 2.1: one perfect subtree per set bit of the size; else the root could be named by one hash alone.
  const isPlausible =
    claimed.frontier.length === setBits(claimed.size) &&
    hex(frontierRoot(claimed.frontier)) === header.root_hash;
  const grown = before === undefined ? claimed : append(before, leafHashes);
  const isAsClaimed =
    isPlausible &&
    hexes(grown.frontier) === hexes(claimed.frontier) &&
    hex(grown.chainHead) === header.chain_head;
  if (isAsClaimed) return claimed;
  findings.fail(
    'root_mismatch',
    header.start_index,
    `leaves ${String(header.start_index)} to ${String(header.tree_size - 1)} do not lead to root ${header.root_hash}`,
  );
  if (isPlausible) return claimed;
  return before === undefined ? undefined : grown;
}

function setBits(size: number): number {
  return size.toString(2).replaceAll('0', '').length;
}

function append(state: TreeState, joined: Uint8Array): TreeState {
  const leafHashes = splitHashes(joined);
  return {
    size: state.size + leafHashes.length,
    frontier: appendLeaves(state.frontier, state.size, leafHashes),
    chainHead: leafHashes.reduce(chainHash, state.chainHead),
  };
}

/** Puts hashes side by side. */
export function joinHashes(hashes: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(hashes.length * HASH_BYTES);
  hashes.forEach((hash, position) => joined.set(hash, position * HASH_BYTES));
  return joined;
}

/** The hashes that lie side by side. */
export function splitHashes(joined: Uint8Array): Uint8Array[] {
  return Array.from({ length: countHashes(joined) }, (_, position) =>
    joined.subarray(position * HASH_BYTES, (position + 1) * HASH_BYTES),
  );
}

/** Number of the hashes that lie side by side. */
export function countHashes(joined: Uint8Array): number {
  return joined.length / HASH_BYTES;
}

export function rootHex({ frontier }: TreeState): string {
  return hex(frontierRoot(frontier));
}

function hexes(hashes: Frontier): string {
  return hashes.map(hex).join();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
