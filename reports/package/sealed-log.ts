/**
 * Compares the record store with the signed log. In: a published log. Out: its checkpoint and the tree that proofs
 * come from.
 * Invariant: nothing is drawn from the store before every row under the checkpoint was compared with its leaf.
 */
import { PipelineError } from '../../schemas/errors.ts';
import { openCheckpoint } from '../../store/chain/checkpoint.ts';
import { chainHash, chainStart } from '../../store/chain/merkle.ts';
import { parseVkey } from '../../store/chain/note.ts';
import type { PublishedCheckpoint, PublishedLog } from '../../store/ledger/published-log.ts';
import { leafHashes, type HashedLeaf } from '../../store/records/queries/leaves.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import type { LeafRange } from '../controls/control.ts';
import { buildInclusionTree, type InclusionTree } from './inclusion-tree.ts';
import { firstDivergedRow } from './projection-check.ts';

/** Leaves that are read at once; a multiple of the block size of the tree. */
export const LEAVES_PER_READ = 65_536;

/** A package may take long and read much, and must still end. */
export const REPORT_READ_LIMITS = { maxExecutionMs: 300_000, maxRowsToRead: 10_000_000_000 } as const;

/** Ranges that cover [0, size), in order. */
export function* leafRanges(size: number): Generator<LeafRange> {
  for (let from = 0; from < size; from += LEAVES_PER_READ) {
    yield { from_index: from, to_index: Math.min(from + LEAVES_PER_READ, size) };
  }
}

/**
 * The newest checkpoint, checked against the log's own key before anything is built on it. Throws PACKAGE_NOT_READY
 * while none is published.
 */
export async function currentCheckpoint(published: PublishedLog): Promise<PublishedCheckpoint> {
  const checkpoint = await published.checkpoint();
  if (checkpoint === undefined)
    throw new PipelineError('PACKAGE_NOT_READY', 'no checkpoint is published yet');
  const key = parseVkey(published.vkey);
  const opened = key === undefined ? undefined : openCheckpoint(checkpoint.note, key);
  if (opened?.tree_size !== checkpoint.tree_size || opened.root_hash !== checkpoint.root_hash) {
    throw new PipelineError('INTERNAL', `checkpoint of ${published.origin} does not verify with its key`);
  }
  return checkpoint;
}

/**
 * Reads all leaves under the checkpoint and compares each row with what its leaf commits to.
 * Throws STORE_DIVERGED, naming an index, where a row is missing or changed, or where the leaves do not lead
 * to the signed root.
 */
export async function readSealedLog(
  store: RecordStore,
  log: string,
  checkpoint: PublishedCheckpoint,
  signal: AbortSignal,
): Promise<InclusionTree> {
  const builder = buildInclusionTree();
  let chain = chainStart();
  for (const range of leafRanges(checkpoint.tree_size)) {
    signal.throwIfAborted();
    await requireUnchanged(store, log, range);
    const leaves = await readLeaves(store, log, range);
    chain = followChain(chain, log, leaves);
    builder.add(leaves.map(toHash));
  }
  const tree = builder.finish();
  const root = Buffer.from(tree.root).toString('hex');
  if (root !== checkpoint.root_hash) {
    throw diverged(`the leaves of log ${log} below ${checkpoint.tree_size} do not lead to the signed root`);
  }
  return tree;
}

/** Leaf hashes of a range, every one of them; throws STORE_DIVERGED where one is missing. */
export async function readLeafHashes(
  store: RecordStore,
  log: string,
  range: LeafRange,
): Promise<Uint8Array[]> {
  return (await readLeaves(store, log, range)).map(toHash);
}

async function readLeaves(store: RecordStore, log: string, range: LeafRange): Promise<HashedLeaf[]> {
  const rows = await store.read(leafHashes({ log, ...range }), REPORT_READ_LIMITS);
  const gap = rows.findIndex(({ leaf_index }, position) => leaf_index !== range.from_index + position);
  const next = range.from_index + (gap < 0 ? rows.length : gap);
  if (next !== range.to_index) {
    throw diverged(`record ${next} of log ${log} is missing or doubled`, String(next));
  }
  return rows;
}

function toHash({ leaf_hash }: HashedLeaf): Uint8Array {
  return Buffer.from(leaf_hash, 'hex');
}

/**
 * The chain value behind these leaves. A leaf is made of columns, so the chain breaks at the row where one of them was
 * changed. Throws STORE_DIVERGED there.
 */
function followChain(before: Uint8Array, log: string, leaves: readonly HashedLeaf[]): Uint8Array {
  let chain = before;
  for (const leaf of leaves) {
    chain = chainHash(chain, toHash(leaf));
    if (Buffer.from(chain).toString('hex') !== leaf.chain_hash) throw changed('the leaf', log, leaf);
  }
  return chain;
}

async function requireUnchanged(store: RecordStore, log: string, range: LeafRange): Promise<void> {
  const [row] = await store.read(firstDivergedRow({ log, ...range }), REPORT_READ_LIMITS);
  if (row !== undefined) throw changed(row.what, log, row);
}

function changed(what: string, log: string, { leaf_index }: { readonly leaf_index: number }): PipelineError {
  return diverged(`${what} of record ${leaf_index} in log ${log} is not what was sealed`, String(leaf_index));
}

export function diverged(detail: string, place?: string): PipelineError {
  return new PipelineError('STORE_DIVERGED', detail, place === undefined ? {} : { place });
}
