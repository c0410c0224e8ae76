import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { JsonValue } from '../../schemas/json.ts';
import { PACKAGE_PATHS } from '../../schemas/evidence-package.ts';
import { saltThatOpens } from '../../store/chain/leaf.ts';
import { leafHash } from '../../store/chain/merkle.ts';
import { formatTlogProof } from '../../store/chain/tlog-proof.ts';
import type { PublishedCheckpoint } from '../../store/ledger/published-log.ts';
import { leavesByIndex, type PackagedRecord } from '../../store/records/queries/leaves.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import type { LeafRange } from '../controls/control.ts';
import { blockStart, LEAVES_PER_BLOCK, type InclusionBlock, type InclusionTree } from './inclusion-tree.ts';
import type { IndexSet } from './index-set.ts';
import { openSample } from './sample.ts';
import { diverged, leafRanges, readLeafHashes, REPORT_READ_LIMITS } from './sealed-log.ts';

const RECORDS_PER_READ = 1000;

export interface PackageRecordsOptions {
  readonly store: RecordStore;
  readonly log: string;
  readonly checkpoint: PublishedCheckpoint;
  readonly tree: InclusionTree;
  /** Records that populations and exceptions rest on. */
  readonly members: IndexSet;
  /** Records of exceptions: each gets a stand-alone proof. */
  readonly exceptions: IndexSet;
  /** Working folder; paths below it are those of the package. */
  readonly dir: string;
  readonly signal: AbortSignal;
}

export interface PackageRecordsResult {
  readonly record_count: number;
  /** Indexes of the sample, rising. */
  readonly sample: readonly number[];
  /** How many records have a stand-alone proof. */
  readonly proof_count: number;
  /** Files that were written, by their paths in the package. */
  readonly paths: readonly string[];
}

interface LineWriter {
  write(text: string): Promise<void>;
  end(): Promise<void>;
}

/**
 * Writes records.jsonl, proofs.jsonl and the stand-alone proofs, in log order, one range of the log at a time.
 * Throws STORE_DIVERGED for a record that does not hash to its leaf.
 */
export async function writePackageRecords(options: PackageRecordsOptions): Promise<PackageRecordsResult> {
  const { checkpoint, dir, members, exceptions } = options;
  await mkdir(join(dir, 'proofs'), { recursive: true });
  const records = openLines(join(dir, PACKAGE_PATHS.records));
  const proofs = openLines(join(dir, PACKAGE_PATHS.proofs));
  const sample = openSample(Buffer.from(checkpoint.root_hash, 'hex'));
  const kept = new Map<number, readonly Uint8Array[]>();
  const proofPaths: string[] = [];
  const writeProof = async (index: number, path: readonly Uint8Array[]) => {
    proofPaths.push(proofPath(index));
    await writeFile(
      join(dir, proofPath(index)),
      formatTlogProof({ index, path, checkpoint: checkpoint.note }),
    );
  };
  for await (const { record, path } of provenRecords(options)) {
    const index = record.leaf_index;
    await records.write(recordLine(record));
    await proofs.write(canonicalJson({ index, hashes: path.map(toBase64) }));
    if (exceptions.has(index)) await writeProof(index, path);
    sample.offer(index, Buffer.from(record.leaf_hash, 'hex'));
    if (sample.holds(index)) kept.set(index, path);
    if (kept.size > 4 * RECORDS_PER_READ) forgetOthers(kept, sample.indexes());
  }
  await records.end();
  await proofs.end();
  for (const index of sample.indexes().filter((each) => !exceptions.has(each))) {
    await writeProof(index, kept.get(index) ?? []);
  }
  return {
    record_count: members.count,
    sample: sample.indexes(),
    proof_count: proofPaths.length,
    paths: [PACKAGE_PATHS.records, PACKAGE_PATHS.proofs, ...proofPaths],
  };
}

interface ProvenRecord {
  readonly record: PackagedRecord;
  readonly path: readonly Uint8Array[];
}

async function* provenRecords(options: PackageRecordsOptions): AsyncGenerator<ProvenRecord> {
  const { store, log, checkpoint, members, signal, tree } = options;
  for (const range of leafRanges(checkpoint.tree_size)) {
    signal.throwIfAborted();
    const indexes = members.between(range.from_index, range.to_index);
    if (indexes.length === 0) continue;
    const hashes = await readLeafHashes(store, log, range);
    const paths = openPaths(tree, range, hashes);
    for (let at = 0; at < indexes.length; at += RECORDS_PER_READ) {
      const wanted = indexes.slice(at, at + RECORDS_PER_READ);
      const rows = await store.read(leavesByIndex({ log, indexes: wanted }), REPORT_READ_LIMITS);
      if (rows.length !== wanted.length) throw diverged('records of a population are missing or doubled');
      for (const record of rows) {
        requireLeaf(record, hashes[record.leaf_index - range.from_index]);
        yield { record, path: paths(record.leaf_index) };
      }
    }
  }
}

/** Audit paths of rising indexes in one range of the log; each block is hashed once. */
function openPaths(
  tree: InclusionTree,
  range: LeafRange,
  hashes: readonly Uint8Array[],
): (index: number) => Uint8Array[] {
  let open: { readonly start: number; readonly block: InclusionBlock } | undefined;
  return (index) => {
    const start = blockStart(index);
    if (open?.start !== start) {
      const first = start - range.from_index;
      open = { start, block: tree.block(start, hashes.slice(first, first + LEAVES_PER_BLOCK)) };
    }
    return open.block.path(index);
  };
}

function requireLeaf({ leaf_index, leaf }: PackagedRecord, sealed: Uint8Array | undefined): void {
  if (sealed === undefined || !Buffer.from(leafHash(Buffer.from(leaf))).equals(sealed)) {
    throw diverged(`record ${leaf_index} does not hash to its leaf`, String(leaf_index));
  }
}

/** One line of records.jsonl: canonical JSON; its `facts` and `person` are the texts that were sealed. */
function recordLine(record: PackagedRecord): string {
  const { leaf_index: index, leaf, facts, person } = record;
  const facts_salt = openedBy(record, 'facts');
  const named = person === '' ? {} : { person: parse(person), person_salt: openedBy(record, 'person') };
  return canonicalJson({ index, leaf, facts: parse(facts), facts_salt, ...named });
}

function parse(text: string): JsonValue {
  return JSON.parse(text) as JsonValue;
}

/** The salt of a part. Throws STORE_DIVERGED where the part is not the one that its leaf names. */
function openedBy(record: PackagedRecord, kind: 'facts' | 'person'): string {
  const { leaf_index: index, leaf } = record;
  const salt = saltThatOpens(leaf, { index, kind, text: record[kind], secret: record[`${kind}_secret`] });
  if (salt !== undefined) return salt;
  throw diverged(`${kind} of record ${index} are not what its leaf commits to`, String(index));
}

/** Path of the stand-alone proof of a leaf inside the package. */
export function proofPath(index: number): string {
  return `proofs/${String(index).padStart(20, '0')}.tlog-proof`;
}

function forgetOthers(kept: Map<number, unknown>, wanted: readonly number[]): void {
  const stay = new Set(wanted);
  for (const index of kept.keys()) if (!stay.has(index)) kept.delete(index);
}

function toBase64(hash: Uint8Array): string {
  return Buffer.from(hash).toString('base64');
}

function openLines(file: string): LineWriter {
  const stream = createWriteStream(file, { flags: 'wx' });
  const done = finished(stream);
  // `write` and `end` report a failure. Until one of them is called, it must not end the process.
  done.catch(() => undefined);
  return {
    write: async (text) => {
      if (!stream.write(`${text}\n`)) await Promise.race([once(stream, 'drain'), done]);
    },
    end: () => {
      stream.end();
      return done;
    },
  };
}
