/** Reads the lines of one bundle and checks their form. No I/O. */
import { isUtf8 } from 'node:buffer';
import { PART_KINDS, type BundleHeader } from '../../schemas/bundle.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { classOfPart } from '../../schemas/retention.ts';
import { areLinesOf, cutBundle } from '../chain/bundle-bytes.ts';
import { leafHash } from '../chain/merkle.ts';
import { visitLines } from './inflate.ts';
import type { LeafOfParts } from './leaf-line.ts';
import { partGroup, type DemandedParts } from './payload.ts';
import type { Findings } from './report.ts';
import { joinHashes } from './tree.ts';

/** A bundle whose lines were read. */
export interface ReadBundle {
  readonly header: BundleHeader;
  /** RFC 6962 leaf hashes in log order, 32 bytes each, side by side. */
  readonly leafHashes: Uint8Array;
  /** Whether the compressed lines are the bytes that the header names. */
  readonly hasNamedBytes: boolean;
  readonly frames: readonly FrameRef[];
  /** The parts that the leaves name. Undefined where a thread has checked the payload objects already. */
  readonly demanded?: DemandedParts;
}

/** Reads the lines of a bundle. Undefined refuses a line. */
export interface LineReaders {
  header(line: Buffer): BundleHeader | undefined;
  frame(line: Buffer): FrameRef | undefined;
  leaf(line: Buffer): LeafOfParts | undefined;
}

/** The log and the start index under which a bundle was found. */
interface BundlePosition {
  readonly start: number;
  /** Undefined where the origin of the log is unknown. */
  readonly origin: string | undefined;
}

/** The lines of a bundle as far as they were read. `readLines` owns it. */
interface LinesRead {
  readonly header: BundleHeader;
  readonly frames: FrameRef[];
  readonly leafHashes: Uint8Array[];
  readonly demanded: {
    readonly digests: Map<string, Map<number, string>>;
    readonly owners: Map<number, string>;
  };
  readonly hasNamedBytes: boolean;
  /** Position of the first malformed leaf, counted from 0. */
  firstMalformed?: number;
}

/**
 * Decodes a bundle. SPEC (archive.md): the header as a line, then gzip of lines: `frame_count` frames, then one leaf per
 * index from `start_index`; each line is canonical JSON. Undefined if the header cannot be trusted to say where it belongs.
 */
export async function readBundle(
  bytes: Uint8Array,
  position: BundlePosition,
  readers: LineReaders,
  findings: Findings,
): Promise<Required<ReadBundle> | undefined> {
  const { start } = position;
  const name = `the bundle at ${String(start)}`;
  const read = await readLines(bytes, start, readers);
  if (read === undefined) {
    findings.fail('bundle_malformed', start, `${name} does not decode to a header and leaves`);
    return undefined;
  }
  const { header, frames, leafHashes, demanded, hasNamedBytes, firstMalformed } = read;
  if (!fitsPosition(header, leafHashes.length, position)) {
    const detail = `the header of ${name} does not fit its position or its lines`;
    findings.fail('bundle_malformed', start, detail);
    return undefined;
  }
  if (firstMalformed !== undefined)
    findings.fail('leaf_malformed', start + firstMalformed, `leaf ${String(firstMalformed + 1)} of ${name}`);
  return { header, frames, leafHashes: joinHashes(leafHashes), hasNamedBytes, demanded };
}

/** Whether a header names this position and this number of leaves. */
export function fitsPosition(
  header: BundleHeader,
  leafCount: number,
  { start, origin }: BundlePosition,
): boolean {
  return (
    header.origin === (origin ?? header.origin) &&
    header.start_index === start &&
    header.leaf_count === leafCount &&
    header.tree_size === start + leafCount &&
    leafCount > 0
  );
}

/** Undefined where the first line is not a header, or the bytes behind it are not gzip of UTF-8 lines with its frames. */
async function readLines(
  bytes: Uint8Array,
  start: number,
  readers: LineReaders,
): Promise<LinesRead | undefined> {
  try {
    const { headerLine, lines } = cutBundle(bytes);
    const header = readers.header(toBuffer(headerLine));
    if (header === undefined || !hasRoomForFrames(header)) return undefined;
    const hasNamedBytes = areLinesOf(header, lines);
    const read: LinesRead = {
      header,
      frames: [],
      leafHashes: [],
      demanded: { digests: new Map(), owners: new Map() },
      hasNamedBytes,
    };
    await visitLines(lines, (line) => {
      if (read.frames.length < header.frame_count) addFrame(read, line, readers);
      else addLeaf(read, start, line, readers);
    });
    return read.frames.length === header.frame_count ? read : undefined;
  } catch {
    return undefined;
  }
}

/** No leaf names more than three parts, each frame holds one at least, and each payload object a frame. */
function hasRoomForFrames({ frame_count, leaf_count, payloads }: BundleHeader): boolean {
  return frame_count <= PART_KINDS.length * leaf_count && payloads.length <= frame_count;
}

function toBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Throws where the line is not a frame: nothing behind it can be trusted to be a leaf. */
function addFrame(read: LinesRead, line: Buffer, readers: LineReaders): void {
  const frame = readers.frame(line);
  if (frame === undefined) throw new RangeError('the line is not a frame');
  read.frames.push(frame);
}

function addLeaf(read: LinesRead, start: number, line: Buffer, readers: LineReaders): void {
  const position = read.leafHashes.push(leafHash(line)) - 1;
  const leaf = readers.leaf(line);
  if (leaf === undefined) {
    requireUtf8(line);
    read.firstMalformed ??= position;
    return;
  }
  const index = start + position;
  for (const { name, digest } of leaf.parts) {
    const group = partGroup(name, classOfPart(name, leaf.retention_class));
    const digests = read.demanded.digests.get(group) ?? new Map<number, string>();
    read.demanded.digests.set(group, digests.set(index, digest));
  }
  if (leaf.subject !== null) read.demanded.owners.set(index, leaf.subject);
}

/** Throws where a line is not text: then the whole bundle counts as undecodable, and not one line as wrong. */
function requireUtf8(line: Buffer): void {
  if (!isUtf8(line)) throw new RangeError('the line is not UTF-8');
}
