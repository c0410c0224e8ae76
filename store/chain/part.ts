/**
 * A part of a record as it is stored and as it is hashed. The leaf names one digest of each part. The digest covers a
 * salt, or guesses of short parts could be tried against it. Salts are not stored: they follow from one secret of the
 * frame. Pure.
 */
import { hash } from 'node:crypto';
import type { PartKind } from '../../schemas/bundle.ts';
import type { LineWriter } from '../../schemas/line-writer.ts';
import { hmacSha256, sha256 } from './sha256.ts';

export const SECRET_BYTES = 32;

/**
 * Salt of a part: HMAC-SHA-256 under the secret over the text `<index> <name>`, base64url. The salt that is disclosed with
 * one part says nothing about the secret or the salt of another part.
 */
export function saltOf(secret: Uint8Array, index: number, name: PartKind): string {
  return hmacSha256('base64url', secret, Buffer.from(`${String(index)} ${name}`));
}

/** One line of a frame, without its newline: canonical JSON of `{index, name, part}`. */
export function partLine(index: number, name: PartKind, partText: string): string {
  return `${partPrefix(index, name)}${partText}}`;
}

/** The text of a line before its part. */
export function partPrefix(index: number, name: PartKind): string {
  return `{"index":${String(index)},"name":"${name}","part":`;
}

/** A part of a record at its index, as canonical JSON, and the salt of its digest. */
export interface SaltedPart {
  readonly index: number;
  readonly name: PartKind;
  readonly text: string;
  readonly salt: string;
}

/** Appends the line of a part and its newline. Returns its digest, as `partDigest` gives it. */
export function appendPart(lines: LineWriter, { index, name, text, salt }: SaltedPart): string {
  const start = lines.length;
  lines.add(`${partPrefix(index, name)}${text}`);
  const end = lines.length;
  lines.add(saltTail(salt));
  const digest = hash('sha256', lines.from(start), 'base64url');
  lines.cut(end);
  lines.add('}\n');
  return digest;
}

/** Digest of a part: SHA-256 over the canonical JSON of `{index, name, part, salt}`, base64url. */
export function partDigest(line: string, salt: string): string {
  return hash('sha256', line.slice(0, -1) + saltTail(salt), 'base64url');
}

/** The same over the bytes of a line. */
export function partDigestOfBytes(line: Uint8Array, salt: string): string {
  return sha256('base64url', line.subarray(0, -1), Buffer.from(saltTail(salt)));
}

function saltTail(salt: string): string {
  return `,"salt":"${salt}"}`;
}
