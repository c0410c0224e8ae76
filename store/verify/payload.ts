/** Checks of payload objects against the leaves of their bundle. No I/O. */
import { isUtf8 } from 'node:buffer';
import type { BundleHeader, PartKind, PayloadRef } from '../../schemas/bundle.ts';
import { isCanonicalJson } from '../chain/canonical-bytes.ts';
import { payloadKey } from '../chain/layout.ts';
import { parseSecretLine, partDigestOfBytes, partPrefix, saltOf } from '../chain/part.ts';
import { visitLines } from './inflate.ts';
import { endOfText, NO_MATCH } from './line-bytes.ts';
import type { Findings } from './report.ts';
import type { StoredObject } from './stored-object.ts';

/** The lines that a payload object must hold, in order, as the leaves demand them. */
export interface ExpectedLines {
  /** Leaf index of each line. */
  readonly indexes: number[];
  readonly digests: string[];
}

/** Expected lines by `payloadGroup`. */
export type PayloadLines = ReadonlyMap<string, ExpectedLines>;

export function noLines(): ExpectedLines {
  return { indexes: [], digests: [] };
}

export function addLine(lines: ExpectedLines, index: number, digest: string): void {
  lines.indexes.push(index);
  lines.digests.push(digest);
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
 * SPEC (archive.md): a payload object is gzip of lines: its secret, then one line per leaf that has the part, rising by
 * index. Such a line is the canonical JSON of {index, name, part}. The digest in the leaf is SHA-256 over the canonical
 * JSON of {index, name, part, salt}, and the salt is HMAC-SHA-256 under the secret over index and name.
 */
export async function checkPayload(
  ref: PayloadRef,
  { bytes, sha256, sizeBytes }: StoredObject,
  expected: ExpectedLines,
  findings: Findings,
): Promise<void> {
  const first = expected.indexes[0] ?? null;
  const read = await compareLines(bytes, ref.kind, expected);
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

/**
 * Undefined where the bytes are not gzip of UTF-8 lines that begin with a secret. That shows only when all of them were
 * read.
 */
async function compareLines(
  bytes: Uint8Array,
  kind: PartKind,
  expected: ExpectedLines,
): Promise<Comparison | undefined> {
  let secret: Uint8Array | undefined;
  let lineCount = 0;
  let brokenIndex: number | undefined;
  try {
    await visitLines(bytes, (line) => {
      if (secret === undefined) {
        secret = secretOf(line);
        return;
      }
      const position = lineCount;
      lineCount += 1;
      if (brokenIndex === undefined && isCommitted(line, { kind, secret, expected, position })) return;
      requireUtf8(line);
      brokenIndex ??= expected.indexes[position];
    });
  } catch {
    return undefined;
  }
  return { lineCount, brokenIndex: brokenIndex ?? expected.indexes[lineCount] };
}

/** Throws where the first line is not a secret: without it no line can be compared. */
function secretOf(line: Buffer): Uint8Array {
  const secret = parseSecretLine(line.toString('latin1'));
  if (secret === undefined) throw new RangeError('the object begins with no secret');
  return secret;
}

/** Demand on one line: the part of this kind that the leaf at `position` names. */
interface LineDemand {
  readonly kind: PartKind;
  readonly secret: Uint8Array;
  readonly expected: ExpectedLines;
  readonly position: number;
}

/** Whether this is the line that is expected at that position. */
function isCommitted(line: Buffer, { kind, secret, expected, position }: LineDemand): boolean {
  const index = expected.indexes[position];
  if (index === undefined) return false;
  const part = endOfText(line, 0, partPrefix(index, kind));
  const partEnd = line.length - 1;
  return (
    part !== NO_MATCH &&
    endOfText(line, partEnd, '}') === line.length &&
    partDigestOfBytes(line, saltOf(secret, index, kind)) === expected.digests[position] &&
    isCanonicalJson(line, part, partEnd)
  );
}

/** Throws where a line is not text: then the whole object counts as undecodable, and not one line as wrong. */
export function requireUtf8(line: Buffer): void {
  if (!isUtf8(line)) throw new RangeError('the line is not UTF-8');
}
