/** Checks of payload objects against the leaves of their bundle. No I/O. */
import { isUtf8 } from 'node:buffer';
import type { PayloadRef } from '../../schemas/bundle.ts';
import { isCanonicalJson } from '../chain/canonical-bytes.ts';
import { payloadKey } from '../chain/layout.ts';
import { SALT_BYTES, sha256Hex } from '../chain/leaf.ts';
import { hmacSha256Hex } from '../chain/sha256.ts';
import type { ArchiveObject } from './archive-object.ts';
import type { OpenBundle } from './bundle.ts';
import { visitLines } from './inflate.ts';
import { decodeHex, endOfHash, endOfText, NOWHERE } from './line-bytes.ts';
import type { Findings } from './report.ts';

/** The lines that a payload object must hold, in order, as the leaves name them. */
export interface ExpectedLines {
  /** Of the leaves. */
  readonly indexes: number[];
  readonly digests: string[];
  readonly commitments: string[];
}

export function expectNothing(): ExpectedLines {
  return { indexes: [], digests: [], commitments: [] };
}

export function expectLine(lines: ExpectedLines, index: number, digest: string, commitment: string): void {
  lines.indexes.push(index);
  lines.digests.push(digest);
  lines.commitments.push(commitment);
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
  for (const [name, { indexes }] of expected) {
    if (!named.includes(name))
      findings.fail(
        'payload_missing',
        indexes[0] ?? null,
        `no ${name} object is named for leaves that have one`,
      );
  }
  header.payloads.forEach((ref, position) => {
    const isDemanded =
      expected.get(named[position] ?? '')?.indexes.length === ref.line_count &&
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
  { bytes, sha256, size }: ArchiveObject,
  expected: ExpectedLines,
  findings: Findings,
): Promise<void> {
  const first = expected.indexes[0] ?? null;
  const read = await comparePayload(bytes, expected);
  if (read === undefined) {
    findings.fail('payload_damaged', first, `${ref.key} does not decode`);
  } else if (read.broken !== undefined) {
    const index = read.broken;
    findings.fail('payload_mismatch', index, `${ref.kind} of leaf ${String(index)} in ${ref.key}`);
  } else if (read.lineCount !== expected.indexes.length) {
    findings.fail('payload_mismatch', first, `${ref.key} holds lines of no leaf`);
  } else if (sha256 !== ref.sha256 || size !== ref.size_bytes) {
    findings.fail('payload_damaged', first, `${ref.key} holds the right lines in other bytes`);
  }
}

interface Comparison {
  readonly lineCount: number;
  /** Index of the first leaf that no line fits. */
  readonly broken: number | undefined;
}

/** Undefined where the bytes are no gzip of UTF-8 lines, which shows only when all of them were read. */
async function comparePayload(bytes: Uint8Array, expected: ExpectedLines): Promise<Comparison | undefined> {
  let lineCount = 0;
  let broken: number | undefined;
  try {
    await visitLines(bytes, (line) => {
      const place = lineCount;
      lineCount += 1;
      if (broken === undefined && isCommitted(line, expected, place)) return;
      checkDecodes(line);
      broken ??= expected.indexes[place];
    });
  } catch {
    return undefined;
  }
  return { lineCount, broken: broken ?? expected.indexes[lineCount] };
}

/** Canonical JSON puts `part` between `index` and `salt`; what stands around it is known but for the salt. */
const SALT_MEMBER = ',"salt":';
/** With its quotation marks and the brace that ends the line. */
const SALT_TEXT_BYTES = 64 + 3;
/** The salt of the line that is looked at. */
const SALT = new Uint8Array(SALT_BYTES);

/** Whether it is the line that is expected at that place. */
function isCommitted(line: Buffer, { indexes, digests, commitments }: ExpectedLines, place: number): boolean {
  const index = indexes[place];
  if (index === undefined || sha256Hex(line) !== digests[place]) return false;
  const part = endOfText(line, 0, `{"index":${String(index)},"part":`);
  const partEnd = line.length - SALT_TEXT_BYTES - SALT_MEMBER.length;
  if (part === NOWHERE || partEnd < part) return false;
  const salt = endOfText(line, partEnd, SALT_MEMBER);
  if (endOfText(line, endOfHash(line, salt), '}') !== line.length) return false;
  decodeHex(line, salt + 1, SALT);
  return (
    isCanonicalJson(line, part, partEnd) &&
    hmacSha256Hex(SALT, line.subarray(part, partEnd)) === commitments[place]
  );
}

/** Throws for a line that is wrong because it is no text at all: then the object does not decode. */
export function checkDecodes(line: Buffer): void {
  if (!isUtf8(line)) throw new RangeError('it is not UTF-8');
}
