/**
 * The head log of a deployment: one small log whose leaves name the newest published head of every log. In: the heads as
 * they are published. Out: one bundle for each entry, and a checkpoint at its end. The one invariant is that of every log:
 * creating a bundle, create-only at its start index, is the commit. So several processes may write: of two that append at
 * one index, one wins, and the other reads on.
 */
import { HEAD_LOG, HeadEntry, type NamedHead } from '../../schemas/head-entry.ts';
import { Value } from 'typebox/value';
import type { UnsignedBundleHeader } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { linesRef, packBundle, packLines } from '../chain/bundle-bytes.ts';
import { keysAfter } from '../chain/key-history.ts';
import { bundleKey } from '../chain/layout.ts';
import { appendLeaves, chainHash, frontierRoot, leafHash } from '../chain/merkle.ts';
import type { Signer } from '../keys/signer.ts';
import { createPublisher } from './checkpoint-publisher.ts';
import { createBundle, keyMembers, sign, type BundleDraft, type NextKeys } from './commit.ts';
import { applySealed } from './follow.ts';
import type { Head } from './head.ts';
import { heldBefore, isDue } from './head-log-entries.ts';
import type { LedgerOptions } from './options.ts';
import { recoverHead } from './recovery.ts';
import { changeLogKey, type KeyChange } from './rotate-key.ts';
import { readHeaderAndLeaves } from './sealed-bundles.ts';

export interface HeadLogOptions extends Omit<LedgerOptions, 'log' | 'randomBytes' | 'dataKeys'> {
  /** Shortest time between two entries, in milliseconds. An entry is written at least every hour. */
  readonly everyMs: number;
}

/** The head log as one process sees it. It calls one method at a time. */
export interface HeadLog {
  /**
   * Reads on to the newest entry, and appends one where that is due. `heads` are the newest published heads that this
   * process knows, each log once. Resolves to the newest entry, from any process; undefined before the first.
   *
   * After a rejection nothing is in doubt: the next call reads the log again.
   */
  update(heads: readonly NamedHead[]): Promise<HeadEntry | undefined>;
}

/** The head log has no parts, so nothing of it is encrypted. */
const NO_KEYS: LedgerOptions['dataKeys'] = {
  subjects: () => Promise.resolve([]),
  keysFor: () => Promise.resolve([]),
  find: () => Promise.resolve([]),
};

function toLedgerOptions(rest: Omit<HeadLogOptions, 'everyMs'>): LedgerOptions {
  return { ...rest, log: HEAD_LOG, randomBytes: () => new Uint8Array(), dataKeys: NO_KEYS };
}

/** Changes the key of the head log as `changeLogKey` does. The last entry under the old key names `heads`. */
export function changeHeadLogKey(
  { nextSigner, ...rest }: Omit<HeadLogOptions, 'everyMs'> & { readonly nextSigner: Signer },
  heads: readonly NamedHead[],
): Promise<KeyChange> {
  const options = { ...toLedgerOptions(rest), nextSigner };
  return changeLogKey(options, async (head) => {
    const newest = await readEntry(options, head.treeSize - 1);
    const taken_at = toInstant(Math.max(options.clock(), head.notBeforeMs));
    const entry: HeadEntry = { v: 1, taken_at, heads: heldBefore(newest?.heads ?? [], heads) };
    return draftEntry(options, head, entry, { vkey: nextSigner.vkey, packageKey: undefined });
  });
}

/** Opens the head log, which `createLog` began. The first `update` refuses on doubt as a start does (START_REFUSED). */
export function openHeadLog({ everyMs, ...rest }: HeadLogOptions): HeadLog {
  const options = toLedgerOptions(rest);
  const publisher = createPublisher(options);
  let known: { readonly size: number; readonly newest: HeadEntry | undefined } = {
    size: 0,
    newest: undefined,
  };

  /** The head as it is in the archive now. A checkpoint that its writer did not publish any more is published here. */
  const readOn = async (): Promise<Head> => {
    const head = await recoverHead(options);
    await publisher.publish(head);
    if (head.treeSize !== known.size)
      known = { size: head.treeSize, newest: await readEntry(options, head.treeSize - 1) };
    return head;
  };

  return {
    async update(heads) {
      const head = await readOn();
      const merged = heldBefore(known.newest?.heads ?? [], heads);
      const nowMs = Math.max(options.clock(), head.notBeforeMs);
      if (!isDue(known.newest, merged, { nowMs, everyMs })) return known.newest;
      const entry: HeadEntry = { v: 1, taken_at: toInstant(nowMs), heads: merged };
      try {
        const draft = await draftEntry(options, head, entry);
        await createBundle(options, draft);
        await applySealed(options, 'publishing', draft);
        await publisher.publish(draft.head);
        known = { size: draft.head.treeSize, newest: entry };
      } catch (error) {
        if (!(error instanceof PipelineError) || error.code !== 'LEDGER_LOST_RACE') throw error;
        await readOn();
      }
      return known.newest;
    },
  };
}

/** The entry at an index. Each bundle holds one. */
async function readEntry({ archive }: LedgerOptions, index: number): Promise<HeadEntry | undefined> {
  if (index < 0) return undefined;
  const key = bundleKey(HEAD_LOG, index);
  const { leafTexts } = await readHeaderAndLeaves(archive, key);
  try {
    return Value.Parse(HeadEntry, JSON.parse(leafTexts.at(-1) ?? ''));
  } catch (cause) {
    throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} holds no entry of the head log`, { cause });
  }
}

/** The bundle of one entry behind `before`. */
async function draftEntry(
  options: LedgerOptions,
  before: Head,
  entry: HeadEntry,
  next?: NextKeys,
): Promise<BundleDraft> {
  const text = canonicalJson(entry);
  const hash = leafHash(Buffer.from(text));
  const leaves = await packLines([text]);
  const nowMs = Date.parse(entry.taken_at);
  const extended: Head = {
    ...before,
    treeSize: before.treeSize + 1,
    frontier: appendLeaves(before.frontier, before.treeSize, [hash]),
    chainHead: chainHash(before.chainHead, hash),
    integratedAtMs: nowMs,
    notBeforeMs: nowMs,
    lock: options.lockFor('proof', nowMs),
  };
  const header: UnsignedBundleHeader = {
    v: 1,
    origin: options.signer.name,
    genesis_sha256: before.genesisSha256,
    start_index: before.treeSize,
    leaf_count: 1,
    tree_size: extended.treeSize,
    root_hash: hex(frontierRoot(extended.frontier)),
    chain_head: hex(extended.chainHead),
    frontier: extended.frontier.map(hex),
    next_offset: '0',
    integrated_at: entry.taken_at,
    duplicate_count: 0,
    lock: extended.lock,
    frame_count: 0,
    lines: linesRef(leaves),
    payloads: [],
    ...keyMembers(before, next),
  };
  const head = { ...extended, keys: keysAfter(before.keys, header) };
  const bytes = packBundle(await sign(options, header), leaves);
  const key = bundleKey(HEAD_LOG, before.treeSize);
  // Entries have no record id and no row.
  return { head, key, bytes, ids: [], leafHashes: [hash], rows: () => [] };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
