/** Takes one bundle of a log, from its file or from a thread that has checked it, and checks what lies around it. */
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import { BundleHeader, type PayloadRef } from '../../schemas/bundle.ts';
import { FrameRef } from '../../schemas/frame.ts';
import { HeadEntry, isOrdered } from '../../schemas/head-entry.ts';
import { Leaf } from '../../schemas/leaf.ts';
import type { HeaderVerdict } from '../chain/key-history.ts';
import { bundleKey, parseKey } from '../chain/layout.ts';
import { checkLockHolds, readObject } from './archive-reader.ts';
import { holdsStatement, statedFacts } from './change-checks.ts';
import { readLeafLine } from './leaf-line.ts';
import type { LogRun } from './log-run.ts';
import { checkFramedPayloads } from './framed-payloads.ts';
import { addCounts } from './frame-lines.ts';
import type { FramedBundle } from './payload.ts';
import type { Precheck } from './precheck.ts';
import { fitsPosition, readBundle, type LineReaders, type ReadBundle } from './read-bundle.ts';
import { parseCanonical } from './shape.ts';
import { countHashes } from './tree.ts';

const readHeader = (line: Buffer) => parseCanonical(BundleHeader, line);

/**
 * The judges of the lines of a bundle of records: a line that these refuse is not a header or not a leaf. The first leaf of a
 * bundle whose record is a statement about the log goes to `statements`.
 */
function recordReaders(run: LogRun, statements: Leaf[]): LineReaders {
  let isStatement = false;
  return {
    header(line) {
      const header = readHeader(line);
      isStatement = header !== undefined && holdsStatement(run, header);
      return header;
    },
    frame: (line) => parseCanonical(FrameRef, line),
    leaf(line) {
      const leaf = isStatement && statements.length === 0 ? parseCanonical(Leaf, line) : undefined;
      if (leaf !== undefined) statements.push(leaf);
      return leaf ?? readLeafLine(line) ?? parseCanonical(Leaf, line);
    },
  };
}

/** The judges of the lines of the head log, whose leaves are entries and have no parts. Entries that read go to `entries`. */
function headReaders(entries: HeadEntry[]): LineReaders {
  return {
    header: readHeader,
    frame: () => undefined,
    leaf(line) {
      const entry = parseCanonical(HeadEntry, line);
      if (entry === undefined || !isOrdered(entry)) return undefined;
      entries.push(entry);
      return { retention_class: 'admin', subject: null, parts: [] };
    },
  };
}

/** A bundle that was read, and the lock under which it is kept; undefined where none reads. */
export interface KeptBundle extends ReadBundle {
  readonly lock: ArchiveLock | undefined;
  /** The leaves of a bundle of the head log, as far as they read. */
  readonly entries?: readonly HeadEntry[];
  /** The first leaf of a bundle whose record is a statement about the log. */
  readonly statement?: Leaf | undefined;
}

/** Undefined where the bundle does not read; then a failure was reported. */
export async function takeBundle(
  run: LogRun,
  start: number,
  precheck: Precheck | undefined,
): Promise<KeptBundle | undefined> {
  const accepted = precheck && (await acceptPrecheck(run, start, precheck));
  if (accepted !== undefined) return accepted;
  const { reader, listing, origin, findings } = run;
  const object = await readObject(reader, bundleKey(listing.log, start), start, findings);
  const entries: HeadEntry[] = [];
  const statements: Leaf[] = [];
  const readers = run.onEntry === undefined ? recordReaders(run, statements) : headReaders(entries);
  const bundle = object && (await readBundle(object.bytes, { start, origin }, readers, findings));
  return bundle && { ...bundle, lock: object.lock, entries, statement: statements[0] };
}

/**
 * A bundle that a thread found sound, if its first line is a header and belongs here. Otherwise undefined, and the
 * bundle is judged from its file again. The thread has not seen the locks, so these are checked here.
 */
async function acceptPrecheck(
  run: LogRun,
  start: number,
  { object, headerLine, frameLines, leafHashes, counts }: Precheck,
): Promise<KeptBundle | undefined> {
  const { reader, listing, origin, opening, findings } = run;
  const header = parseCanonical(BundleHeader, Buffer.from(headerLine));
  const frames = frameLines.map((line) => parseCanonical(FrameRef, Buffer.from(line)));
  if (header === undefined || !fitsPosition(header, countHashes(leafHashes), { start, origin }))
    return undefined;
  // A thread does not look at a record that is a statement about the log.
  if (holdsStatement(run, header)) return undefined;
  const known = frames.filter((frame) => frame !== undefined);
  if (known.length !== frames.length || known.length !== header.frame_count) return undefined;
  addCounts(opening.counts, counts);
  const lock = await reader.checkLock(bundleKey(listing.log, start), object, start, findings);
  return { header, frames: known, leafHashes, hasNamedBytes: true, lock };
}

/** The lock under which a bundle is kept, against the one that its header signed. */
export function checkBundleLock({ listing, findings }: LogRun, { header, lock }: KeptBundle): void {
  const { start_index, lock: signed } = header;
  checkLockHolds(bundleKey(listing.log, start_index), { lock, signed }, start_index, findings);
}

/** Asked where nothing else is wrong with the bundle: any other failure says more. */
export function checkLineBytes({ listing, findings }: LogRun, { header, hasNamedBytes }: ReadBundle): void {
  if (hasNamedBytes) return;
  const name = bundleKey(listing.log, header.start_index);
  findings.fail('bundle_malformed', header.start_index, `${name} holds the right lines in other bytes`);
}

/**
 * SPEC (archive.md): the key of the log at its place signs each header. The newest bundle may lie beyond all checkpoints, and
 * `next_offset`, `integrated_at` and `duplicate_count` outside the tree: for these the signature alone speaks. Answers
 * whether the signature is good and the header fits the keys; false without a key.
 */
export function reportHeader(
  { listing, findings }: LogRun,
  { start_index }: BundleHeader,
  verdict: HeaderVerdict | undefined,
): boolean {
  if (verdict === undefined) return false;
  const { isSigned, problem } = verdict;
  const name = bundleKey(listing.log, start_index);
  if (!isSigned)
    findings.fail('bundle_unsigned', start_index, `the key of the log did not sign the header of ${name}`);
  if (problem !== undefined) findings.fail('rotation_invalid', start_index, `${name} ${problem}`);
  return isSigned && problem === undefined;
}

export async function checkPayloads(run: LogRun, bundle: ReadBundle): Promise<void> {
  const { header, frames, demanded } = bundle;
  if (demanded === undefined) await checkPayloadLocks(run, header);
  else await checkPayloadObjects(run, { header, frames, demanded, onPart: statedFacts(run, header) });
}

/** A thread has checked the bytes of the payload objects. */
async function checkPayloadLocks({ reader, listing, findings }: LogRun, header: BundleHeader): Promise<void> {
  for (const { key, sha256, size_bytes: sizeBytes, lock: signed } of header.payloads) {
    const lock = await reader.checkLock(key, { sha256, sizeBytes }, null, findings);
    checkLockHolds(key, { lock, signed }, header.start_index, findings);
    listing.payloads.delete(key);
  }
}

async function checkPayloadObjects(run: LogRun, bundle: FramedBundle): Promise<void> {
  const { reader, listing, opening, findings } = run;
  const start = bundle.header.start_index;
  const read = async ({ key, lock: signed }: PayloadRef) => {
    const object = parseKey(key) && (await readObject(reader, key, null, findings));
    listing.payloads.delete(key);
    if (object === undefined)
      findings.fail('payload_missing', start, `${key}, and no sealed receipt says it was purged`);
    else checkLockHolds(key, { lock: object.lock, signed }, start, findings);
    return object;
  };
  const { findKeys, counts } = opening;
  await checkFramedPayloads({ read, findKeys }, { log: listing.log, bundle, counts }, findings);
}
