/** Checks of one bundle and its payload objects against each other and against the tree so far. No I/O. */
import { isUtf8 } from 'node:buffer';
import { BundleHeader, type PayloadRef } from '../../../schemas/bundle.ts';
import { Leaf } from '../../../schemas/leaf.ts';
import { isCanonicalJson } from '../canonical-bytes.ts';
import { payloadKey } from '../layout.ts';
import { commitment, sha256Hex } from '../leaf.ts';
import { appendLeaves, chainHash, frontierRoot, leafHash, type Frontier } from '../merkle.ts';
import type { ArchiveObject } from './archive-files.ts';
import { visitLines } from './inflate.ts';
import type { Findings } from './report.ts';
import { parseCanonical } from './shape.ts';

/** The log up to a size. */
export interface TreeState {
  readonly size: number;
  readonly frontier: Frontier;
  readonly chainHead: Uint8Array;
}

export interface OpenBundle {
  readonly header: BundleHeader;
  readonly leafHashes: readonly Uint8Array[];
  /** The payload objects as the leaves demand them, by name, each with the lines it must hold. */
  readonly expected: ReadonlyMap<string, readonly ExpectedLine[]>;
}

/** Digest and commitment of one part as a leaf names them, with the index of the leaf. */
interface ExpectedLine {
  readonly index: number;
  readonly digest: string;
  readonly commitment: string;
}

/** What the lines of a bundle say, as far as they were read. */
interface Reading {
  readonly header: BundleHeader;
  readonly leafHashes: Uint8Array[];
  readonly expected: Map<string, ExpectedLine[]>;
  /** Place of the first line that is no leaf, counted from 0. */
  malformed?: number;
}

/**
 * Decodes a bundle. SPEC (archive.md): gzip of lines; the first is the header, one leaf follows per index from
 * `start_index`; each line is canonical JSON. Undefined if the header cannot be trusted to say where it belongs.
 */
export async function openBundle(
  bytes: Uint8Array,
  start: number,
  origin: string | undefined,
  findings: Findings,
): Promise<OpenBundle | undefined> {
  const read = await readLeaves(bytes, start);
  if (read === undefined) {
    findings.fail(
      'bundle_malformed',
      start,
      `the bundle at ${String(start)} does not decode to a header and leaves`,
    );
    return undefined;
  }
  const { header, malformed } = read;
  const count = read.leafHashes.length;
  const isConsistent =
    header.origin === (origin ?? header.origin) &&
    header.start_index === start &&
    header.leaf_count === count &&
    header.tree_size === start + count &&
    count > 0;
  if (!isConsistent) {
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
  return read;
}

/** Undefined where the bytes are no gzip of UTF-8 lines, or the first is no header. */
async function readLeaves(bytes: Uint8Array, start: number): Promise<Reading | undefined> {
  let reading: Reading | undefined;
  try {
    await visitLines(bytes, (line) => {
      if (reading === undefined) reading = { header: readHeader(line), leafHashes: [], expected: new Map() };
      else readLeaf(reading, start, line);
    });
  } catch {
    return undefined;
  }
  return reading;
}

function readHeader(line: Buffer): BundleHeader {
  const header = parseCanonical(BundleHeader, line);
  if (header === undefined) throw new RangeError('the first line is no header');
  return header;
}

function readLeaf(reading: Reading, start: number, line: Buffer): void {
  const position = reading.leafHashes.push(leafHash(line)) - 1;
  const leaf = parseCanonical(Leaf, line);
  if (leaf === undefined) {
    checkDecodes(line);
    reading.malformed ??= position;
    return;
  }
  const index = start + position;
  expectLine(reading, 'facts', leaf.retention_class, {
    index,
    digest: leaf.facts_digest,
    commitment: leaf.facts_commitment,
  });
  if (leaf.content_digest === null && leaf.content_commitment === null) return;
  const named = { digest: leaf.content_digest ?? '', commitment: leaf.content_commitment ?? '' };
  expectLine(reading, 'content', leaf.retention_class, { index, ...named });
}

function expectLine({ expected }: Reading, kind: string, retentionClass: string, line: ExpectedLine): void {
  const name = payloadName(kind, retentionClass);
  const lines = expected.get(name);
  if (lines === undefined) expected.set(name, [line]);
  else lines.push(line);
}

/** Throws for a line that is wrong because it is no text at all: then the object does not decode. */
function checkDecodes(line: Buffer): void {
  if (!isUtf8(line)) throw new RangeError('it is not UTF-8');
}

/**
 * Appends the leaves to the tree and compares with the header. SPEC (archive.md): root_hash and frontier are those of
 * the tree after the last leaf (RFC 6962 section 2.1); chain_head is chain_hash of the last leaf.
 *
 * Without a state before (an older bundle was unreadable) only the header itself can be checked. Where the bundle is
 * wrong, its own claim is carried on, so that newer bundles are judged by their own leaves and not by this one.
 */
export function growTree(
  before: TreeState | undefined,
  { header, leafHashes }: OpenBundle,
  findings: Findings,
): TreeState | undefined {
  const claimed: TreeState = {
    size: header.tree_size,
    frontier: header.frontier.map((hash) => Buffer.from(hash, 'hex')),
    chainHead: Buffer.from(header.chain_head, 'hex'),
  };
  // RFC 6962 section 2.1: one perfect subtree per set bit of the size; else the root could be named by one hash alone.
  const isPlausible =
    claimed.frontier.length === setBits(claimed.size) &&
    hex(frontierRoot(claimed.frontier)) === header.root_hash;
  const grown = before === undefined ? claimed : append(before, leafHashes);
  const isAsClaimed =
    isPlausible &&
    hexes(grown.frontier) === hexes(claimed.frontier) &&
    hex(grown.chainHead) === header.chain_head;
  if (isAsClaimed) return claimed;
  findings.fail(
    'root_mismatch',
    header.start_index,
    `leaves ${String(header.start_index)} to ${String(header.tree_size - 1)} do not lead to root ${header.root_hash}`,
  );
  if (isPlausible) return claimed;
  return before === undefined ? undefined : grown;
}

function setBits(size: number): number {
  return size.toString(2).replaceAll('0', '').length;
}

function append(state: TreeState, leafHashes: readonly Uint8Array[]): TreeState {
  return {
    size: state.size + leafHashes.length,
    frontier: appendLeaves(state.frontier, state.size, leafHashes),
    chainHead: leafHashes.reduce(chainHash, state.chainHead),
  };
}

export function payloadName(kind: string, retentionClass: string): string {
  return `${kind}/${retentionClass}`;
}

/**
 * SPEC (archive.md): a bundle names, for each retention class among its leaves, one facts object and, if any of these
 * leaves has content, one content object; no others, and each under the key that its own digest gives.
 */
export function checkPayloadRefs(log: string, { header, expected }: OpenBundle, findings: Findings): void {
  const named = header.payloads.map((ref) => payloadName(ref.kind, ref.retention_class));
  for (const [name, [first]] of expected) {
    if (!named.includes(name))
      findings.fail(
        'payload_missing',
        first?.index ?? null,
        `no ${name} object is named for leaves that have one`,
      );
  }
  header.payloads.forEach((ref, position) => {
    const isDemanded =
      expected.get(named[position] ?? '')?.length === ref.line_count &&
      named.indexOf(named[position] ?? '') === position;
    if (!isDemanded || ref.key !== payloadKey(log, ref, header.start_index)) {
      findings.fail(
        'bundle_malformed',
        header.start_index,
        `the header names ${ref.key}, which its leaves do not ask for`,
      );
    }
  });
}

/**
 * SPEC (archive.md): a payload object is gzip of lines, one per leaf that has the part, rising by index. A line is the
 * canonical JSON of {index, part, salt}; its SHA-256 is the digest of the leaf, and HMAC-SHA-256 under the salt over
 * the canonical part is the commitment of the leaf.
 */
export async function checkPayload(
  ref: PayloadRef,
  { bytes, sha256 }: ArchiveObject,
  expected: readonly ExpectedLine[],
  findings: Findings,
): Promise<void> {
  const first = expected[0]?.index ?? null;
  const read = await comparePayload(bytes, expected);
  if (read === undefined) {
    findings.fail('payload_damaged', first, `${ref.key} does not decode`);
  } else if (read.broken !== undefined) {
    const { index } = read.broken;
    findings.fail('payload_mismatch', index, `${ref.kind} of leaf ${String(index)} in ${ref.key}`);
  } else if (read.lineCount !== expected.length) {
    findings.fail('payload_mismatch', first, `${ref.key} holds lines of no leaf`);
  } else if (sha256 !== ref.sha256 || bytes.length !== ref.size_bytes) {
    findings.fail('payload_damaged', first, `${ref.key} holds the right lines in other bytes`);
  }
}

interface Comparison {
  readonly lineCount: number;
  /** The first that no line fits. */
  readonly broken: ExpectedLine | undefined;
}

/** Undefined where the bytes are no gzip of UTF-8 lines, which shows only when all of them were read. */
async function comparePayload(
  bytes: Uint8Array,
  expected: readonly ExpectedLine[],
): Promise<Comparison | undefined> {
  let lineCount = 0;
  let broken: ExpectedLine | undefined;
  try {
    await visitLines(bytes, (line) => {
      const wanted = expected[lineCount];
      lineCount += 1;
      if (broken === undefined && wanted !== undefined && isCommitted(line, wanted)) return;
      checkDecodes(line);
      broken ??= wanted;
    });
  } catch {
    return undefined;
  }
  return { lineCount, broken: broken ?? expected[lineCount] };
}

/** Canonical JSON puts `part` between `index` and `salt`; what stands around it is known but for the salt. */
const SALT_MEMBER = /^,"salt":"([0-9a-f]{64})"\}$/;
const SALT_MEMBER_BYTES = 75;

function isCommitted(line: Buffer, expected: ExpectedLine): boolean {
  if (sha256Hex(line) !== expected.digest) return false;
  const head = `{"index":${String(expected.index)},"part":`;
  const partEnd = line.length - SALT_MEMBER_BYTES;
  if (partEnd < head.length || line.toString('latin1', 0, head.length) !== head) return false;
  const salt = SALT_MEMBER.exec(line.toString('latin1', partEnd))?.[1];
  const part = line.subarray(head.length, partEnd);
  return salt !== undefined && isCanonicalJson(part) && commitment(salt, part) === expected.commitment;
}

function hexes(hashes: Frontier): string {
  return hashes.map(hex).join();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
