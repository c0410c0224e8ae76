/**
 * The steps of the commit protocol: one batch becomes payload objects and a bundle in the archive, and the projections
 * follow (`follow.ts`). The one invariant: creating the bundle, create-only at its start index, is the commit; everything
 * before it may be repeated, everything after it can be derived. `ledger.ts` takes the steps.
 */
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import type { BundleHeader, UnsignedBundleHeader, WriterHeads } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { isSealable } from '../../schemas/sealable.ts';
import { linesRef, packBundle, packLineBytes } from '../chain/bundle-bytes.ts';
import { headerMessage, nextKeyMessage } from '../chain/bundle-signature.ts';
import { currentTerm, keysAfter } from '../chain/key-history.ts';
import { bundleKey } from '../chain/layout.ts';
import type { SealedRecord } from '../chain/leaf.ts';
import { appendLeaves, chainHash, frontierRoot } from '../chain/merkle.ts';
import { toSealedRow } from '../records/record-row.ts';
import type { RecordRow } from '../records/record-store.ts';
import type { Signer } from '../keys/signer.ts';
import type { Head } from './head.ts';
import { timeOfIntegration } from './integration-time.ts';
import type { LedgerOptions } from './options.ts';
import { sealParts } from './payloads.ts';

export interface Batch {
  readonly records: readonly AuditRecord[];
  /** First event-log offset after the batch. */
  readonly next_offset: bigint;
  /** Id of the event log that the offset counts in; absent where the log gives none. */
  readonly event_log?: string | undefined;
  /** Where the writers of the event log stand at the offset. @default where they stood before the batch */
  readonly writers?: WriterHeads | undefined;
  /** Repeated deliveries recognised in this batch; sealed as a count in the bundle header. */
  readonly duplicate_count: number;
}

/** The keys that a bundle names, which is the last one of the keys before. */
export interface NextKeys {
  readonly vkey: string;
  /** Undefined in the head log. */
  readonly packageKey: string | undefined;
}

/** A bundle before it is created: its payload objects are in the archive, and nothing names it yet. */
export interface BundleDraft {
  /** The head once the bundle is created. */
  readonly head: Head;
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Record ids of its leaves, in order. */
  readonly ids: readonly string[];
  /** Leaf hashes, in order. */
  readonly leafHashes: readonly Uint8Array[];
  /** Builds its rows. They are large, so they are built when they are inserted. */
  readonly rows: () => RecordRow[];
}

/**
 * A record that is not of its schema would be sealed for good, and then refused by the record store and by every
 * verifier. Throws RECORD_INVALID before anything is written. The detail quotes no value.
 */
function requireSealable(record: AuditRecord): void {
  if (isSealable(record)) return;
  throw new PipelineError(
    'RECORD_INVALID',
    `a record of type ${JSON.stringify(record.type)} is not of its schema`,
  );
}

/**
 * Step 1: seals the batch behind `before` and puts its payload objects into the archive.
 *
 * @param next the keys behind this bundle, where it is the last of its key and holds one record
 */
export async function draftBundle(
  options: LedgerOptions,
  before: Head,
  batch: Batch,
  next?: NextKeys,
): Promise<BundleDraft> {
  batch.records.forEach(requireSealable);
  const nowMs = timeOfIntegration(options, before, batch.records);
  const place = { startIndex: before.treeSize, nowMs };
  const { sealed, leaves, payloads, frames } = await sealParts(options, batch.records, place);
  // If the process dies here, payload objects lie in the archive that no bundle names. They are never read.

  const frameLines = frames.map((frame) => `${canonicalJson(frame)}\n`).join('');
  const lines = await packLineBytes(Buffer.concat([Buffer.from(frameLines), leaves]));
  const chains = extendChain(before.chainHead, sealed);
  const lock = options.lockFor('proof', nowMs);
  const extended = extendHead(before, { batch, sealed, chains, nowMs, lock });
  const unsigned: UnsignedBundleHeader = {
    v: 1,
    origin: options.signer.name,
    genesis_sha256: before.genesisSha256,
    start_index: before.treeSize,
    leaf_count: sealed.length,
    tree_size: extended.treeSize,
    root_hash: hex(frontierRoot(extended.frontier)),
    chain_head: hex(extended.chainHead),
    frontier: extended.frontier.map(hex),
    next_offset: String(extended.nextOffset),
    ...(extended.eventLog === undefined ? {} : { event_log: extended.eventLog }),
    ...(extended.writers === undefined ? {} : { writers: extended.writers }),
    integrated_at: toInstant(nowMs),
    duplicate_count: batch.duplicate_count,
    lock: extended.lock,
    frame_count: frames.length,
    lines: linesRef(lines),
    payloads: [...payloads],
    ...keyMembers(before, next),
  };
  const head = { ...extended, keys: keysAfter(before.keys, unsigned) };
  const header = await sign(options, unsigned);
  const bytes = packBundle(header, lines);
  const rows = () => composeRows(options.log, header, { batch, sealed, chains });
  const ids = sealed.map(({ leaf }) => leaf.id);
  const leafHashes = sealed.map(({ leaf_hash }) => leaf_hash);
  return { head, key: bundleKey(options.log, header.start_index), bytes, ids, leafHashes, rows };
}

/** Step 2, the commit and the fence: of two sequencers on one log, one creation wins and the other must stop. */
export async function createBundle(options: LedgerOptions, { head, key, bytes }: BundleDraft): Promise<void> {
  try {
    await options.archive.put(key, bytes, head.lock);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== 'ARCHIVE_CONFLICT') throw error;
    const detail = `bundle ${key} of ${options.signer.name} exists already`;
    throw new PipelineError('LEDGER_LOST_RACE', detail, { cause: error });
  }
  // Committed. If the process dies here, recovery projects this bundle into the record store and publishes its head,
  // and the sequencer goes on at `next_offset`, so none of these records is sealed again.
}

/** A batch with its sealed records and their chain values: three lists of one length. */
interface SealedBatch {
  readonly batch: Batch;
  readonly sealed: readonly SealedRecord[];
  readonly chains: readonly Uint8Array[];
}

function composeRows(log: string, header: BundleHeader, { batch, sealed, chains }: SealedBatch): RecordRow[] {
  return sealed.map((one, position) =>
    toSealedRow(one, {
      log,
      record: batch.records[position] ?? never(),
      leaf_index: header.start_index + position,
      chain_hash: hex(chains[position] ?? never()),
      integrated_at: header.integrated_at,
    }),
  );
}

/** Chain value of each leaf. */
function extendChain(previous: Uint8Array, sealed: readonly SealedRecord[]): Uint8Array[] {
  let chain = previous;
  return sealed.map(({ leaf_hash }) => (chain = chainHash(chain, leaf_hash)));
}

function extendHead(
  before: Head,
  {
    batch,
    sealed,
    chains,
    nowMs,
    lock,
  }: SealedBatch & { readonly nowMs: number; readonly lock: ArchiveLock },
): Head {
  const hashes = sealed.map(({ leaf_hash }) => leaf_hash);
  return {
    treeSize: before.treeSize + hashes.length,
    frontier: appendLeaves(before.frontier, before.treeSize, hashes),
    chainHead: chains.at(-1) ?? before.chainHead,
    nextOffset: batch.next_offset,
    eventLog: batch.event_log,
    writers: batch.writers ?? before.writers,
    integratedAtMs: nowMs,
    notBeforeMs: nowMs,
    genesisSha256: before.genesisSha256,
    keys: before.keys,
    lock,
  };
}

/** The members of a header that say by which key it is signed, and whether it is the last of that key. */
export function keyMembers(
  { keys }: Pick<Head, 'keys'>,
  next: NextKeys | undefined,
): Pick<UnsignedBundleHeader, 'next_vkey' | 'next_package_key' | 'rotated_at'> {
  const { rotatedAt: rotated_at } = currentTerm(keys);
  return {
    ...(next === undefined ? {} : { next_vkey: next.vkey }),
    ...(next?.packageKey === undefined ? {} : { next_package_key: next.packageKey }),
    ...(rotated_at === undefined ? {} : { rotated_at }),
  };
}

/** The header with the signature of the key of its log, and of the next key where it names one. */
export async function sign(
  { signer, nextSigner }: Pick<LedgerOptions, 'signer' | 'nextSigner'>,
  header: UnsignedBundleHeader,
): Promise<BundleHeader> {
  const taken =
    header.next_vkey === undefined ? header : { ...header, next_signature: await takeUp(nextSigner, header) };
  return { ...taken, signature: toBase64(await signer.sign(headerMessage(taken))) };
}

/** The signature of the next key over the header that names it. */
async function takeUp(nextSigner: Signer | undefined, header: UnsignedBundleHeader): Promise<string> {
  if (nextSigner === undefined || nextSigner.vkey !== header.next_vkey)
    throw new PipelineError('INTERNAL', 'a header names a next key that is not at hand');
  return toBase64(await nextSigner.sign(nextKeyMessage(header)));
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The lists of a batch have one length, so a missing element is a defect. */
function never(): never {
  throw new PipelineError('INTERNAL', 'records and leaves of a batch do not match');
}
