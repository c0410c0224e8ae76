/**
 * The commit protocol, in one place. In: batches of normalised records in event-log order. Out: payload objects,
 * bundles and checkpoints in the archive, rows in the record store. The one invariant: creating a bundle, create-only
 * at its start index, is the commit; everything before it may be repeated, everything after it can be derived.
 */
import { Value } from 'typebox/value';
import { canonicalJson } from '../schemas/canonical.ts';
import type { BundleHeader, PayloadRef } from '../schemas/bundle.ts';
import { toInstant } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import { Leaf } from '../schemas/leaf.ts';
import type { AuditRecord } from '../schemas/record.ts';
import { encodeBundle, encodeLines } from './chain/bundle.ts';
import { bundleKey, payloadKey } from './chain/layout.ts';
import { sealRecord, SALT_BYTES, sha256Hex, type SealedRecord } from './chain/leaf.ts';
import { appendLeaves, chainHash, frontierRoot } from './chain/merkle.ts';
import { createPublisher } from './checkpoint-publisher.ts';
import type { LedgerOptions, LedgerPorts } from './ledger-options.ts';
import { bundleStarts, readLeafTexts, recoverHead, type Head } from './ledger-recovery.ts';
import type { PublishedLog } from './published-log.ts';
import { toRows, type SealedBundle } from './record-row.ts';

export interface Batch {
  readonly records: readonly AuditRecord[];
  /** First event-log offset after the batch. */
  readonly next_offset: bigint;
  /** Repeated deliveries recognised in this batch; sealed as a count in the bundle header. */
  readonly duplicate_count: number;
}

/**
 * One log, owned by one sequencer. `append` resolves when the batch is sealed, queryable and under a published
 * checkpoint. After any rejection the state in memory is worthless: call `recover`, then read the event log again
 * from `nextOffset`, because a failed write may have been applied.
 */
export interface Ledger extends PublishedLog {
  recover(): Promise<void>;
  append(batch: Batch): Promise<void>;
  treeSize(): number;
  nextOffset(): bigint;
  /** Ids of all leaves at or after `index`, bundle by bundle, each with the tree size after it. */
  idsSince(index: number): AsyncIterable<{ readonly ids: readonly string[]; readonly tree_size: number }>;
}

/** Opens the log for appending: refuses on doubt (START_REFUSED), finishes what a crash left undone. */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const publisher = createPublisher(options);
  let head: Head | undefined;

  const recover = async () => {
    head = undefined;
    const recovered = await recoverHead(options, (bundle, chain) => project(options, bundle, chain));
    await publisher.publish(recovered);
    head = recovered;
  };
  await recover();

  return {
    log: options.log,
    origin: options.signer.name,
    vkey: options.signer.vkey,
    checkpoint: () => Promise.resolve(publisher.latest()),
    recover,
    treeSize: () => head?.treeSize ?? 0,
    nextOffset: () => head?.nextOffset ?? 0n,
    idsSince: (index) => idsSince(options, index),
    async append(batch) {
      if (head === undefined)
        throw new PipelineError('START_REFUSED', 'the ledger failed before and was not recovered');
      if (batch.records.length === 0) return;
      const before = head;
      head = undefined;
      head = await commit(options, before, batch);
      await publisher.publish(head);
    },
  };
}

async function commit(options: LedgerOptions, before: Head, batch: Batch): Promise<Head> {
  const now = Math.max(options.clock(), before.integratedAtMs);
  const sealed = batch.records.map((record, position) => seal(options, record, before.treeSize + position));
  const payloads = await putPayloads(options, before.treeSize, sealed, now);
  // If the process dies here, payload objects lie in the archive that no bundle names. They are never read.

  const { header, head } = advance(options.signer.name, before, { batch, sealed, payloads, now });
  const leafTexts = sealed.map(({ leaf_text }) => leaf_text);
  await createBundle(options, header, encodeBundle(header, leafTexts), now);
  // Committed. If the process dies here, recovery projects this bundle into the record store and publishes its head,
  // and the sequencer goes on at `next_offset`, so none of these records is sealed again.

  const lines = (line: (record: SealedRecord) => string | null) => {
    const entries = sealed.map((record, position) => [header.start_index + position, line(record)] as const);
    return new Map(entries.filter((entry): entry is readonly [number, string] => entry[1] !== null));
  };
  const bundle: SealedBundle = {
    log: options.log,
    header,
    leafTexts,
    factsLines: lines(({ facts_line }) => facts_line),
    contentLines: lines(({ content_line }) => content_line),
  };
  await project(options, bundle, before.chainHead);
  // If the process dies here, the rows are durable and only the checkpoint is missing; recovery signs it.
  return head;
}

function seal({ randomBytes }: LedgerPorts, record: AuditRecord, index: number): SealedRecord {
  const salt = () => Buffer.from(randomBytes(SALT_BYTES)).toString('hex');
  return sealRecord(record, index, { facts: salt(), content: salt() });
}

async function putPayloads(
  options: LedgerOptions,
  startIndex: number,
  sealed: readonly SealedRecord[],
  now: number,
): Promise<PayloadRef[]> {
  const refs: PayloadRef[] = [];
  for (const retention_class of new Set(sealed.map(({ leaf }) => leaf.retention_class))) {
    const ofClass = sealed.filter(({ leaf }) => leaf.retention_class === retention_class);
    const parts = {
      facts: ofClass.map(({ facts_line }) => facts_line),
      content: ofClass.map(({ content_line }) => content_line).filter((line) => line !== null),
    };
    for (const kind of ['facts', 'content'] as const) {
      if (parts[kind].length === 0) continue;
      const bytes = encodeLines(parts[kind]);
      const named = { kind, retention_class, sha256: sha256Hex(bytes) };
      const key = payloadKey(options.log, named, startIndex);
      await options.archive.put(key, bytes, options.lockFor(kind, retention_class, now));
      refs.push({ ...named, key, size_bytes: bytes.length, line_count: parts[kind].length });
    }
  }
  return refs;
}

interface Step {
  readonly batch: Batch;
  readonly sealed: readonly SealedRecord[];
  readonly payloads: readonly PayloadRef[];
  readonly now: number;
}

function advance(origin: string, before: Head, step: Step): { header: BundleHeader; head: Head } {
  const hashes = step.sealed.map(({ leaf_hash }) => leaf_hash);
  const head: Head = {
    treeSize: before.treeSize + hashes.length,
    frontier: appendLeaves(before.frontier, before.treeSize, hashes),
    chainHead: hashes.reduce(chainHash, before.chainHead),
    nextOffset: step.batch.next_offset,
    integratedAtMs: step.now,
  };
  const header: BundleHeader = {
    v: 1,
    origin,
    start_index: before.treeSize,
    leaf_count: hashes.length,
    tree_size: head.treeSize,
    root_hash: hex(frontierRoot(head.frontier)),
    chain_head: hex(head.chainHead),
    frontier: head.frontier.map(hex),
    next_offset: String(head.nextOffset),
    integrated_at: toInstant(step.now),
    duplicate_count: step.batch.duplicate_count,
    payloads: [...step.payloads],
  };
  return { header, head };
}

/** The fence: of two sequencers on one log, one creation wins and the other must stop. */
async function createBundle(options: LedgerOptions, header: BundleHeader, bytes: Uint8Array, now: number) {
  try {
    await options.archive.put(
      bundleKey(options.log, header.start_index),
      bytes,
      options.lockFor('log', '', now),
    );
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== 'ARCHIVE_CONFLICT') throw error;
    throw new PipelineError(
      'LEDGER_LOST_RACE',
      `bundle ${String(header.start_index)} of ${header.origin} exists already`,
      {
        cause: error,
      },
    );
  }
}

async function project(
  { log, records }: LedgerOptions,
  bundle: SealedBundle,
  previousChain: Uint8Array,
): Promise<void> {
  await records.insert(log, toRows(bundle, previousChain), bundleKey(log, bundle.header.start_index));
}

async function* idsSince({ archive, log }: LedgerOptions, index: number) {
  const starts = await bundleStarts(archive, log);
  const first = Math.max(
    starts.findLastIndex((start) => start <= index),
    0,
  );
  for (const start of starts.slice(first)) {
    const leaves = (await readLeafTexts(archive, log, start)).map((text) =>
      Value.Parse(Leaf, JSON.parse(text)),
    );
    const ids = leaves.slice(Math.max(index - start, 0)).map(({ id }) => id);
    if (ids.length > 0) yield { ids, tree_size: start + leaves.length };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** First object of a log; creating it twice with other content is refused by the archive. */
export async function createLog(
  { archive, signer, clock, lockFor, log }: Omit<LedgerOptions, 'records' | 'guard' | 'randomBytes'>,
  key: string,
): Promise<void> {
  const now = clock();
  const genesis = canonicalJson({ v: 1, origin: signer.name, vkey: signer.vkey, created_at: toInstant(now) });
  await archive.put(key, Buffer.from(`${genesis}\n`), lockFor('log', log, now));
}
