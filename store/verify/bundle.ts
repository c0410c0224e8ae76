/** Reads one bundle and checks its lines. No I/O. */
import type { BundleHeader } from '../../schemas/bundle.ts';
import { leafHash } from '../chain/merkle.ts';
import { visitLines } from './inflate.ts';
import type { LeafParts } from './leaf-line.ts';
import { checkDecodes, expectLine, expectNothing, payloadName, type ExpectedLines } from './payload.ts';
import type { Findings } from './report.ts';
import { joinHashes, type HashedBundle } from './tree.ts';

export interface OpenBundle extends HashedBundle {
  /** The payload objects as the leaves demand them, by name, each with the lines it must hold. */
  readonly expected: ReadonlyMap<string, ExpectedLines>;
}

/** Who reads the lines of a bundle. Undefined for a line that it does not take. */
export interface LineReaders {
  header(line: Buffer): BundleHeader | undefined;
  leaf(line: Buffer): LeafParts | undefined;
}

/** Where a bundle was found. */
export interface BundlePlace {
  readonly start: number;
  /** Undefined where it is not known which log this is. */
  readonly origin: string | undefined;
}

/** What the lines of a bundle say, as far as they were read. */
interface Reading {
  readonly header: BundleHeader;
  readonly leafHashes: Uint8Array[];
  readonly expected: Map<string, ExpectedLines>;
  /** Place of the first line that is no leaf, counted from 0. */
  malformed?: number;
}

/**
 * Decodes a bundle. SPEC (archive.md): gzip of lines; the first is the header, one leaf follows per index from
 * `start_index`; each line is canonical JSON. Undefined if the header cannot be trusted to say where it belongs.
 */
export async function openBundle(
  bytes: Uint8Array,
  place: BundlePlace,
  readers: LineReaders,
  findings: Findings,
): Promise<OpenBundle | undefined> {
  const { start } = place;
  const read = await readLeaves(bytes, start, readers);
  if (read === undefined) {
    findings.fail(
      'bundle_malformed',
      start,
      `the bundle at ${String(start)} does not decode to a header and leaves`,
    );
    return undefined;
  }
  const { header, malformed } = read;
  if (!fitsPlace(header, read.leafHashes.length, place)) {
    findings.fail(
      'bundle_malformed',
      start,
      `the header of the bundle at ${String(start)} does not fit its place or its lines`,
    );
    return undefined;
  }
  if (malformed !== undefined)
    findings.fail(
      'leaf_malformed',
      start + malformed,
      `line ${String(malformed + 2)} of the bundle at ${String(start)}`,
    );
  return { header, leafHashes: joinHashes(read.leafHashes), expected: read.expected };
}

/** Whether a header of so many leaves says itself that it belongs there. */
export function fitsPlace(header: BundleHeader, leafCount: number, { start, origin }: BundlePlace): boolean {
  return (
    header.origin === (origin ?? header.origin) &&
    header.start_index === start &&
    header.leaf_count === leafCount &&
    header.tree_size === start + leafCount &&
    leafCount > 0
  );
}

/** Undefined where the bytes are no gzip of UTF-8 lines, or the first is no header. */
async function readLeaves(
  bytes: Uint8Array,
  start: number,
  readers: LineReaders,
): Promise<Reading | undefined> {
  let reading: Reading | undefined;
  try {
    await visitLines(bytes, (line) => {
      if (reading !== undefined) {
        readLeaf(reading, start, line, readers);
        return;
      }
      const header = readers.header(line);
      if (header === undefined) throw new RangeError('the first line is no header');
      reading = { header, leafHashes: [], expected: new Map() };
    });
  } catch {
    return undefined;
  }
  return reading;
}

function readLeaf(reading: Reading, start: number, line: Buffer, readers: LineReaders): void {
  const position = reading.leafHashes.push(leafHash(line)) - 1;
  const leaf = readers.leaf(line);
  if (leaf === undefined) {
    checkDecodes(line);
    reading.malformed ??= position;
    return;
  }
  const index = start + position;
  const { retention_class } = leaf;
  expectLine(linesOf(reading, 'facts', retention_class), index, leaf.facts_digest, leaf.facts_commitment);
  const { content_digest: digest, content_commitment: commitment } = leaf;
  if (digest === null && commitment === null) return;
  expectLine(linesOf(reading, 'content', retention_class), index, digest ?? '', commitment ?? '');
}

function linesOf({ expected }: Reading, kind: string, retentionClass: string): ExpectedLines {
  const name = payloadName(kind, retentionClass);
  const known = expected.get(name);
  if (known !== undefined) return known;
  const lines = expectNothing();
  expected.set(name, lines);
  return lines;
}
