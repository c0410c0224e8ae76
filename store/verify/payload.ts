/** Checks of payload objects against the leaves of their bundle. No I/O. */
import { isUtf8 } from 'node:buffer';
import type { BundleHeader, PayloadRef } from '../../schemas/bundle.ts';
import { isCanonicalJson } from '../chain/canonical-bytes.ts';
import { payloadKey } from '../chain/layout.ts';
import { SALT_BYTES, sha256Hex } from '../chain/leaf.ts';
import { hmacSha256Hex } from '../chain/sha256.ts';
import { visitLines } from './inflate.ts';
import { decodeHex, endOfHash, endOfText, NO_MATCH } from './line-bytes.ts';
import type { Findings } from './report.ts';
import type { StoredObject } from './stored-object.ts';

/** The lines that a payload object must hold, in order, as the leaves demand them. */
export interface ExpectedLines {
  /** Leaf index of each line. */
  readonly indexes: number[];
  readonly digests: string[];
  readonly commitments: string[];
}

/** Expected lines by `payloadGroup`. */
export type PayloadLines = ReadonlyMap<string, ExpectedLines>;

export function noLines(): ExpectedLines {
  return { indexes: [], digests: [], commitments: [] };
}

export function addLine(lines: ExpectedLines, index: number, digest: string, commitment: string): void {
  lines.indexes.push(index);
  lines.digests.push(digest);
  lines.commitments.push(commitment);
}

/** Part kind and retention class: a bundle has one payload object for each pair that its leaves demand. */
export function payloadGroup(kind: string, retentionClass: string): string {
  return `${kind}/${retentionClass}`;
}

/**
 * SPEC (archive.md): a bundle names, for each retention class among its leaves, one facts object and, if any of these
 * leaves has content, one content object; no others, and each under the key that its own digest gives.
 */
export function checkPayloadRefs(
  log: string,
  header: BundleHeader,
  payloadLines: PayloadLines,
  findings: Findings,
): void {
  const named = header.payloads.map((ref) => payloadGroup(ref.kind, ref.retention_class));
  for (const [group, { indexes }] of payloadLines) {
    if (named.includes(group)) continue;
    const detail = `no ${group} object is named for leaves that have one`;
    findings.fail('payload_missing', indexes[0] ?? null, detail);
  }
  header.payloads.forEach((ref, position) => {
    const group = named[position] ?? '';
    const isDemanded =
      payloadLines.get(group)?.indexes.length === ref.line_count && named.indexOf(group) === position;
    if (isDemanded && ref.key === payloadKey(log, ref, header.start_index)) return;
    const detail = `the header names ${ref.key}, which its leaves do not ask for`;
    findings.fail('bundle_malformed', header.start_index, detail);
  });
}

/**
 * SPEC (archive.md): a payload object is gzip of lines, one per leaf that has the part, rising by index. A line is the
 * canonical JSON of {index, part, salt}; its SHA-256 is the digest of the leaf, and HMAC-SHA-256 under the salt over
 * the canonical part is the commitment of the leaf.
 */
export async function checkPayload(
  ref: PayloadRef,
  { bytes, sha256, sizeBytes }: StoredObject,
  expected: ExpectedLines,
  findings: Findings,
): Promise<void> {
  const first = expected.indexes[0] ?? null;
  const read = await compareLines(bytes, expected);
  if (read === undefined) {
    findings.fail('payload_damaged', first, `${ref.key} does not decode`);
  } else if (read.brokenIndex !== undefined) {
    const index = read.brokenIndex;
    findings.fail('payload_mismatch', index, `${ref.kind} of leaf ${String(index)} in ${ref.key}`);
  } else if (read.lineCount !== expected.indexes.length) {
    findings.fail('payload_mismatch', first, `${ref.key} holds lines of no leaf`);
  } else if (sha256 !== ref.sha256 || sizeBytes !== ref.size_bytes) {
    findings.fail('payload_damaged', first, `${ref.key} holds the right lines in other bytes`);
  }
}

interface Comparison {
  readonly lineCount: number;
  /** Index of the first leaf whose line differs or is missing. */
  readonly brokenIndex: number | undefined;
}

/** Undefined where the bytes are not gzip of UTF-8 lines, which shows only when all of them were read. */
async function compareLines(bytes: Uint8Array, expected: ExpectedLines): Promise<Comparison | undefined> {
  let lineCount = 0;
  let brokenIndex: number | undefined;
  try {
    await visitLines(bytes, (line) => {
      const position = lineCount;
      lineCount += 1;
      if (brokenIndex === undefined && isCommitted(line, expected, position)) return;
      requireUtf8(line);
      brokenIndex ??= expected.indexes[position];
    });
  } catch {
    return undefined;
  }
  return { lineCount, brokenIndex: brokenIndex ?? expected.indexes[lineCount] };
}

/** Canonical JSON puts `part` between `index` and `salt`. The text around the part is known except for the salt. */
const SALT_MEMBER = ',"salt":';
/** Hex digits, two quotation marks and the brace that ends the line. */
const SALT_TEXT_BYTES = 64 + 3;
/** Scratch of `isCommitted`: the salt of the line at hand. */
const SALT = new Uint8Array(SALT_BYTES);

/** Whether this is the line that is expected at that position. */
function isCommitted(
  line: Buffer,
  { indexes, digests, commitments }: ExpectedLines,
  position: number,
): boolean {
  const index = indexes[position];
  if (index === undefined || sha256Hex(line) !== digests[position]) return false;
  const part = endOfText(line, 0, `{"index":${String(index)},"part":`);
  const partEnd = line.length - SALT_TEXT_BYTES - SALT_MEMBER.length;
  if (part === NO_MATCH || partEnd < part) return false;
  const salt = endOfText(line, partEnd, SALT_MEMBER);
  if (endOfText(line, endOfHash(line, salt), '}') !== line.length) return false;
  decodeHex(line, salt + 1, SALT);
  return (
    isCanonicalJson(line, part, partEnd) &&
    hmacSha256Hex(SALT, line.subarray(part, partEnd)) === commitments[position]
  );
}

/** Throws where a line is not text: then the whole object counts as undecodable, and not one line as wrong. */
export function requireUtf8(line: Buffer): void {
  if (!isUtf8(line)) throw new RangeError('the line is not UTF-8');
}
