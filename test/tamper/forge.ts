/** Archives for tamper cases, and what each kind of attacker can do to a copy of one. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFileName } from '../../schemas/archive-lock.ts';
import type { BundleHeader, PartKind } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { decodeBundle } from '../../store/chain/bundle-bytes.ts';
import { toBundle } from '../support/bundle-file.ts';
import { checkpointText } from '../../store/chain/checkpoint.ts';
import { bundleKey, checkpointKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { formatNote, parseVkey } from '../../store/chain/note.ts';
import { formatLockFile } from '../../store/verify/lock-file.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import type { Signer } from '../../store/keys/signer.ts';
import {
  filesBelow,
  mixedRecord,
  removeObject,
  replaceObject,
  rewriteFrom,
} from '../support/archive-folder.ts';
import { openFrames, sealFrames, type OpenedFrame } from '../support/frames.ts';
import { appendWhole, createTestLog, createTestSigner, testLock } from '../support/ledger.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';

/** Leaves of the bundles of a sealed log; bundles start at 0, 4, 10, 15 and 23, and it ends at 30. */
export const SIZES = [4, 6, 5, 8, 7] as const;
export const TREE_SIZE = 30;

export interface SealOptions {
  readonly signer?: Signer;
  readonly sizes?: readonly number[];
  /** Number of the first record: another number gives another history. */
  readonly firstRecord?: number;
  readonly records?: RecordStore;
}

export interface SealedArchive {
  readonly dir: string;
  readonly signer: Signer;
  dispose(): Promise<void>;
}

const clock = () => Date.parse('2026-11-21T09:00:00.000Z');

/** A log sealed by the real ledger into a local archive, one bundle per size. */
export async function sealArchive(options: SealOptions = {}): Promise<SealedArchive> {
  const { signer = createTestSigner(), sizes = SIZES, firstRecord = 0 } = options;
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-tamper-'));
  const archive = await openLocalArchive({ dir, clock });
  const records = options.records ?? createMemoryRecordStore();
  const log = await createTestLog({ archive, records, signer, clock });
  await appendBatches(await openLedger(log), sizes, firstRecord);
  return { dir, signer, dispose: () => rm(dir, { recursive: true, force: true }) };
}

/** Goes on with the log in a folder, as a server with its key and without its memory would. */
export async function appendTo(dir: string, signer: Signer, sizes: readonly number[], firstRecord: number) {
  const archive = await openLocalArchive({ dir, clock });
  const log = await createTestLog({ archive, records: createMemoryRecordStore(), signer, clock });
  await appendBatches(await openLedger(log), sizes, firstRecord);
}

async function appendBatches(
  ledger: Awaited<ReturnType<typeof openLedger>>,
  sizes: readonly number[],
  firstRecord: number,
): Promise<void> {
  let next = firstRecord;
  for (const size of sizes) {
    const records = Array.from({ length: size }, (_, offset) => mixedRecord(next + offset));
    next += size;
    await appendWhole(ledger, { records, next_offset: ledger.nextOffset() + 1n, duplicate_count: 0 });
  }
}

/** A folder to tamper with, the same as another. */
export async function copyOf(dir: string): Promise<{ dir: string; dispose(): Promise<void> }> {
  const copy = await mkdtemp(join(tmpdir(), 'affidavit-tampered-'));
  await cp(dir, copy, { recursive: true });
  return { dir: copy, dispose: () => rm(copy, { recursive: true, force: true }) };
}

export interface Bundle {
  readonly header: BundleHeader;
  readonly frames: readonly FrameRef[];
  readonly leafTexts: readonly string[];
}

export async function readBundle(dir: string, start: number): Promise<Bundle> {
  const { headerText, frameTexts, leafTexts } = decodeBundle(
    await readFile(join(dir, bundleKey('p0', start))),
  );
  const frames = frameTexts.map((text) => JSON.parse(text) as FrameRef);
  return { header: JSON.parse(headerText) as BundleHeader, frames, leafTexts };
}

/** Puts another bundle in place, with a lock file that fits. */
export async function forgeBundle(dir: string, start: number, change: (bundle: Bundle) => Partial<Bundle>) {
  const bundle = await readBundle(dir, start);
  const { header, frames, leafTexts } = { ...bundle, ...change(bundle) };
  const frameTexts = frames.map((frame) => canonicalJson(frame));
  await replaceObject(dir, bundleKey('p0', start), await toBundle(header, { frameTexts, leafTexts }));
}

/** The key of the payload object that holds the frames of the bundle. All frames of a test are kept until one date. */
export async function payloadOf(dir: string, start: number): Promise<string> {
  return (await readBundle(dir, start)).header.payloads[0]!.key;
}

/** The frame of this kind, in the class of its kind: of nobody for facts, else of the one person of the records. */
export function isFrameOf(kind: PartKind): (frame: FrameRef) => boolean {
  return (frame) =>
    frame.kind === kind && frame.retention_class === kind && (frame.subject === null) === (kind === 'facts');
}

/** The lines of a frame. */
export async function frameLines(dir: string, start: number, kind: PartKind): Promise<readonly string[]> {
  const { header, frames } = await readBundle(dir, start);
  return (await openFrames(dir, header, frames)).find(({ frame }) => isFrameOf(kind)(frame))!.lines;
}

/** Puts other frames in place as somebody with the data keys can, and makes digests, names and lock files fit. */
export async function forgeFrames(
  dir: string,
  start: number,
  change: (opened: readonly OpenedFrame[]) => readonly OpenedFrame[],
): Promise<void> {
  const { header, frames } = await readBundle(dir, start);
  const sealed = await sealFrames('p0', header, change(await openFrames(dir, header, frames)));
  for (const { key } of header.payloads) await removeObject(dir, key);
  for (const [key, bytes] of sealed.objects) await putObject(dir, key, bytes);
  await forgeBundle(dir, start, () => ({ header: sealed.header, frames: sealed.frames }));
}

/** The same for the lines of one frame; its count fits them. */
export async function forgeLines(
  dir: string,
  start: number,
  kind: PartKind,
  change: (lines: readonly string[]) => readonly string[],
): Promise<void> {
  await forgeFrames(dir, start, (opened) =>
    opened.map(({ frame, lines }) => {
      if (!isFrameOf(kind)(frame)) return { frame, lines };
      const changed = change(lines);
      return { frame: { ...frame, line_count: changed.length }, lines: changed };
    }),
  );
}

/** A new object with a lock file, without asking the archive. */
export async function putObject(dir: string, key: string, bytes: Uint8Array): Promise<void> {
  const lock = { v: 1, key, sha256: sha256Hex(bytes), size_bytes: bytes.length, legal_hold: false } as const;
  await writeFile(join(dir, key), bytes);
  await writeFile(join(dir, lockFileName(key, lock.sha256)), formatLockFile({ ...lock, ...testLock() }));
}

/** Seals other records from an index on and makes everything fit that needs no key; `signer` only names the log. */
export async function rewriteWithoutKey(dir: string, signer: Signer, start: number): Promise<void> {
  const archive = await openLocalArchive({ dir, clock });
  const options = await createTestLog({ archive, records: createMemoryRecordStore(), signer, clock });
  await rewriteFrom({ dir, options, dispose: () => Promise.resolve() }, SIZES, start);
}

/** Cuts the log back to a size at which a bundle ends, and leaves no trace of what was behind. */
export async function cutBackTo(dir: string, size: number): Promise<void> {
  for (const file of await filesBelow(dir)) {
    const [, kind, place] = /log\/p0\/(bundle|checkpoint|payload).*\/([0-9]{20})/.exec(file) ?? [];
    const isBehind = kind === 'checkpoint' ? Number(place) > size : Number(place) >= size;
    if (kind !== undefined && isBehind) await rm(join(dir, file));
  }
}

export async function removeCheckpoints(dir: string, sizes: readonly number[]): Promise<void> {
  for (const size of sizes) await removeObject(dir, checkpointKey('p0', size));
}

export interface SignedHead {
  readonly tree_size: number;
  readonly root_hash: string;
}

/** A checkpoint note by whoever holds the key. */
export async function signHead(signer: Signer, head: SignedHead): Promise<string> {
  const text = checkpointText({ origin: signer.name, ...head });
  const { name, keyId } = parseVkey(signer.vkey)!;
  return formatNote(text, [{ name, keyId, signature: await signer.sign(Buffer.from(text)) }]);
}

/** The checkpoint of a size, as somebody kept it before anything happened. */
export async function keptAt(dir: string, size: number) {
  return {
    name: `kept-${String(size)}`,
    note: await readFile(join(dir, checkpointKey('p0', size)), 'utf8'),
  };
}

/**
 * Index that a report begins with, null where it names none. A forged header breaks its signature too, which speaks for
 * the bundle as a whole; what was forged in it is named beside.
 */
export function firstIndex({ failures }: VerificationReport): number | null {
  return failures.find(({ code }) => code !== 'bundle_unsigned')?.index ?? null;
}

/** Same text with one character changed at a place counted from the start. */
export function edited(bytes: Uint8Array, place: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(place) ^ 1, place);
  return copy;
}
