/** Checks of one bundle and its payload objects against each other and against the tree so far. No I/O. */
import { BundleHeader, PayloadLine, type PayloadRef } from '../../../schemas/bundle.ts';
import { Leaf } from '../../../schemas/leaf.ts';
import { decodeBundle, decodeLines } from '../bundle.ts';
import { payloadKey } from '../layout.ts';
import { commitment, sha256Hex } from '../leaf.ts';
import { appendLeaves, chainHash, frontierRoot, leafHash, type Frontier } from '../merkle.ts';
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
  /** Undefined where a text is not a leaf. */
  readonly leaves: readonly (Leaf | undefined)[];
  readonly leafHashes: readonly Uint8Array[];
}

/** Digest and commitment of one part as a leaf names them, with the index of the leaf. */
interface Expected {
  readonly index: number;
  readonly digest: string;
  readonly commitment: string;
}

/**
 * Decodes a bundle. SPEC (archive.md): gzip of lines; the first is the header, one leaf follows per index from
 * `start_index`; each line is canonical JSON. Undefined if the header cannot be trusted to say where it belongs.
 */
export function openBundle(
  bytes: Uint8Array,
  start: number,
  origin: string | undefined,
  findings: Findings,
): OpenBundle | undefined {
  const decoded = attempt(() => decodeBundle(bytes));
  const header = decoded && parseCanonical(BundleHeader, decoded.headerText);
  if (decoded === undefined || header === undefined) {
    findings.fail(
      'bundle_malformed',
      start,
      `the bundle at ${String(start)} does not decode to a header and leaves`,
    );
    return undefined;
  }
  const count = decoded.leafTexts.length;
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
  const leaves = decoded.leafTexts.map((text) => parseCanonical(Leaf, text));
  const malformed = leaves.indexOf(undefined);
  if (malformed >= 0)
    findings.fail(
      'leaf_malformed',
      start + malformed,
      `line ${String(malformed + 2)} of the bundle at ${String(start)}`,
    );
  return { header, leaves, leafHashes: decoded.leafTexts.map((text) => leafHash(Buffer.from(text))) };
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

/** The bundle's payload objects as its leaves demand them, each with the lines it must hold. */
export function expectedPayloads({ header, leaves }: OpenBundle): Map<string, Expected[]> {
  const expected = new Map<string, Expected[]>();
  const add = (name: string, line: Expected) => {
    const lines = expected.get(name);
    if (lines === undefined) expected.set(name, [line]);
    else lines.push(line);
  };
  leaves.forEach((leaf, position) => {
    if (leaf === undefined) return;
    const index = header.start_index + position;
    add(payloadName('facts', leaf.retention_class), {
      index,
      digest: leaf.facts_digest,
      commitment: leaf.facts_commitment,
    });
    if (leaf.content_digest !== null || leaf.content_commitment !== null) {
      const named = { digest: leaf.content_digest ?? '', commitment: leaf.content_commitment ?? '' };
      add(payloadName('content', leaf.retention_class), { index, ...named });
    }
  });
  return expected;
}

export function payloadName(kind: string, retentionClass: string): string {
  return `${kind}/${retentionClass}`;
}

/**
 * SPEC (archive.md): a bundle names, for each retention class among its leaves, one facts object and, if any of these
 * leaves has content, one content object; no others, and each under the key that its own digest gives.
 */
export function checkPayloadRefs(
  log: string,
  header: BundleHeader,
  expected: ReadonlyMap<string, readonly Expected[]>,
  findings: Findings,
): void {
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
export function checkPayload(
  ref: PayloadRef,
  bytes: Uint8Array,
  expected: readonly Expected[],
  findings: Findings,
): void {
  const first = expected[0]?.index ?? null;
  const lines = attempt(() => decodeLines(bytes));
  if (lines === undefined) {
    findings.fail('payload_damaged', first, `${ref.key} does not decode`);
    return;
  }
  const broken = expected.find((line, position) => !isCommitted(lines[position], line));
  if (broken !== undefined) {
    findings.fail(
      'payload_mismatch',
      broken.index,
      `${ref.kind} of leaf ${String(broken.index)} in ${ref.key}`,
    );
  } else if (lines.length !== expected.length) {
    findings.fail('payload_mismatch', first, `${ref.key} holds lines of no leaf`);
  } else if (sha256Hex(bytes) !== ref.sha256 || bytes.length !== ref.size_bytes) {
    findings.fail('payload_damaged', first, `${ref.key} holds the right lines in other bytes`);
  }
}

function isCommitted(text: string | undefined, expected: Expected): boolean {
  if (text === undefined || sha256Hex(text) !== expected.digest) return false;
  const line = parseCanonical(PayloadLine, text);
  if (line?.index !== expected.index) return false;
  // Canonical JSON puts `part` between `index` and `salt`, so the part's own text can be cut out of the line.
  const part = text.slice(`{"index":${String(line.index)},"part":`.length, -`,"salt":"${line.salt}"}`.length);
  return commitment(line.salt, part) === expected.commitment;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function hexes(hashes: Frontier): string {
  return hashes.map(hex).join();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
