/** Reads the lines of one bundle and checks their form. No I/O. */
import type { BundleHeader } from '../../schemas/bundle.ts';
import { areLeavesOf, cutBundle } from '../chain/bundle-bytes.ts';
import { leafHash } from '../chain/merkle.ts';
import { visitLines } from './inflate.ts';
import type { LeafOfParts } from './leaf-line.ts';
import {
  addLine,
  noLines,
  payloadGroup,
  requireUtf8,
  type ExpectedLines,
  type PayloadLines,
} from './payload.ts';
import type { Findings } from './report.ts';
import { joinHashes } from './tree.ts';

/** A bundle whose lines were read. */
export interface ReadBundle {
  readonly header: BundleHeader;
  /** RFC 6962 leaf hashes in log order, 32 bytes each, side by side. */
  readonly leafHashes: Uint8Array;
  /** Whether the compressed leaves are the bytes that the header names. */
  readonly hasNamedBytes: boolean;
  /** The lines that the leaves demand of payload objects. Undefined where a thread has checked these objects already. */
  readonly payloadLines?: PayloadLines;
}

/** Reads the lines of a bundle. Undefined refuses a line. */
export interface LineReaders {
  header(line: Buffer): BundleHeader | undefined;
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
  readonly leafHashes: Uint8Array[];
  readonly payloadLines: Map<string, ExpectedLines>;
  readonly hasNamedBytes: boolean;
  /** Position of the first malformed leaf, counted from 0. */
  firstMalformed?: number;
}

/**
 * Decodes a bundle. SPEC (archive.md): the header as a line, then gzip of lines, one leaf per index from `start_index`;
 * each line is canonical JSON. Undefined if the header cannot be trusted to say where it belongs.
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
  const { header, leafHashes, payloadLines, hasNamedBytes, firstMalformed } = read;
  if (!fitsPosition(header, leafHashes.length, position)) {
    const detail = `the header of ${name} does not fit its position or its lines`;
    findings.fail('bundle_malformed', start, detail);
    return undefined;
  }
  if (firstMalformed !== undefined)
    findings.fail('leaf_malformed', start + firstMalformed, `line ${String(firstMalformed + 2)} of ${name}`);
  return { header, leafHashes: joinHashes(leafHashes), hasNamedBytes, payloadLines };
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

/** Undefined where the first line is not a header, or the bytes behind it are not gzip of UTF-8 lines. */
async function readLines(
  bytes: Uint8Array,
  start: number,
  readers: LineReaders,
): Promise<LinesRead | undefined> {
  try {
    const { headerLine, leaves } = cutBundle(bytes);
    const header = readers.header(toBuffer(headerLine));
    if (header === undefined) return undefined;
    const hasNamedBytes = areLeavesOf(header, leaves);
    const read: LinesRead = { header, leafHashes: [], payloadLines: new Map(), hasNamedBytes };
    await visitLines(leaves, (line) => addLeaf(read, start, line, readers));
    return read;
  } catch {
    return undefined;
  }
}

function toBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
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
  for (const { name, digest } of leaf.parts)
    addLine(linesOf(read, name, leaf.retention_class), index, digest);
}

function linesOf({ payloadLines }: LinesRead, kind: string, retentionClass: string): ExpectedLines {
  const group = payloadGroup(kind, retentionClass);
  const known = payloadLines.get(group);
  if (known !== undefined) return known;
  const lines = noLines();
  payloadLines.set(group, lines);
  return lines;
}
