/** Takes one bundle of a log, from its file or from a thread that has checked it, and checks what lies around it. */
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import { BundleHeader } from '../../schemas/bundle.ts';
import { HeadEntry, isOrdered } from '../../schemas/head-entry.ts';
import { Leaf } from '../../schemas/leaf.ts';
import { isHeaderSigned } from '../chain/bundle-signature.ts';
import { bundleKey, parseKey } from '../chain/layout.ts';
import { checkLockHolds, readObject } from './archive-reader.ts';
import { readLeafLine } from './leaf-line.ts';
import type { LogRun } from './log-run.ts';
import { checkPayload, checkPayloadRefs, noLines, payloadGroup, type PayloadLines } from './payload.ts';
import type { Precheck } from './precheck.ts';
import { fitsPosition, readBundle, type LineReaders, type ReadBundle } from './read-bundle.ts';
import { parseCanonical } from './shape.ts';
import { countHashes } from './tree.ts';

const readHeader = (line: Buffer) => parseCanonical(BundleHeader, line);

/** The judges of the lines of a bundle of records: a line that these refuse is not a header or not a leaf. */
const LINE_READERS: LineReaders = {
  header: readHeader,
  leaf: (line) => readLeafLine(line) ?? parseCanonical(Leaf, line),
};

/** The judges of the lines of the head log, whose leaves are entries and have no parts. Entries that read go to `entries`. */
function headReaders(entries: HeadEntry[]): LineReaders {
  return {
    header: readHeader,
    leaf(line) {
      const entry = parseCanonical(HeadEntry, line);
      if (entry === undefined || !isOrdered(entry)) return undefined;
      entries.push(entry);
      return { retention_class: '', parts: [] };
    },
  };
}

/** A bundle that was read, and the lock under which it is kept; undefined where none reads. */
export interface KeptBundle extends ReadBundle {
  readonly lock: ArchiveLock | undefined;
  /** The leaves of a bundle of the head log, as far as they read. */
  readonly entries?: readonly HeadEntry[];
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
  const readers = run.onEntry === undefined ? LINE_READERS : headReaders(entries);
  const bundle = object && (await readBundle(object.bytes, { start, origin }, readers, findings));
  return bundle && { ...bundle, lock: object.lock, entries };
}

/**
 * A bundle that a thread found sound, if its first line is a header and belongs here. Otherwise undefined, and the
 * bundle is judged from its file again. The thread has not seen the locks, so these are checked here.
 */
async function acceptPrecheck(
  { reader, listing, origin, findings }: LogRun,
  start: number,
  { object, headerLine, leafHashes }: Precheck,
): Promise<KeptBundle | undefined> {
  const header = parseCanonical(BundleHeader, Buffer.from(headerLine));
  if (header === undefined || !fitsPosition(header, countHashes(leafHashes), { start, origin }))
    return undefined;
  const lock = await reader.checkLock(bundleKey(listing.log, start), object, start, findings);
  return { header, leafHashes, hasNamedBytes: true, lock };
}

/** The lock under which a bundle is kept, against the one that its header signed. */
export function checkBundleLock({ listing, findings }: LogRun, { header, lock }: KeptBundle): void {
  const { start_index, lock: signed } = header;
  checkLockHolds(bundleKey(listing.log, start_index), { lock, signed }, start_index, findings);
}

/** Asked where nothing else is wrong with the bundle: any other failure says more. */
export function checkLeavesBytes({ listing, findings }: LogRun, { header, hasNamedBytes }: ReadBundle): void {
  if (hasNamedBytes) return;
  const name = bundleKey(listing.log, header.start_index);
  findings.fail('bundle_malformed', header.start_index, `${name} holds the right leaves in other bytes`);
}

/**
 * SPEC (archive.md): the key of the genesis signs each header. The newest bundle may lie beyond all checkpoints, and
 * `next_offset`, `integrated_at` and `duplicate_count` outside the tree: for these the signature alone speaks. Answers
 * whether the signature is good; false without a key.
 */
export function checkHeaderSignature({ listing, key, findings }: LogRun, header: BundleHeader): boolean {
  if (key === undefined) return false;
  if (isHeaderSigned(header, key)) return true;
  const name = bundleKey(listing.log, header.start_index);
  const detail = `the key of the log did not sign the header of ${name}`;
  findings.fail('bundle_unsigned', header.start_index, detail);
  return false;
}

export async function checkPayloads(
  run: LogRun,
  { header, payloadLines }: Pick<ReadBundle, 'header' | 'payloadLines'>,
): Promise<void> {
  if (payloadLines === undefined) await checkPayloadLocks(run, header);
  else await checkPayloadObjects(run, header, payloadLines);
}

/** A thread has checked the bytes of the payload objects. */
async function checkPayloadLocks({ reader, listing, findings }: LogRun, header: BundleHeader): Promise<void> {
  for (const { key, sha256, size_bytes: sizeBytes, lock: signed } of header.payloads) {
    const lock = await reader.checkLock(key, { sha256, sizeBytes }, null, findings);
    checkLockHolds(key, { lock, signed }, header.start_index, findings);
    listing.payloads.delete(key);
  }
}

async function checkPayloadObjects(
  { reader, listing, findings }: LogRun,
  header: BundleHeader,
  payloadLines: PayloadLines,
): Promise<void> {
  checkPayloadRefs(listing.log, header, payloadLines, findings);
  for (const ref of header.payloads) {
    const lines = payloadLines.get(payloadGroup(ref.kind, ref.retention_class)) ?? noLines();
    const first = lines.indexes[0] ?? header.start_index;
    const object = parseKey(ref.key) && (await readObject(reader, ref.key, null, findings));
    listing.payloads.delete(ref.key);
    if (object === undefined)
      findings.fail('payload_missing', first, `${ref.key}, and no sealed receipt says it was purged`);
    else {
      await checkPayload(ref, object, lines, findings);
      checkLockHolds(ref.key, { lock: object.lock, signed: ref.lock }, header.start_index, findings);
    }
  }
}
