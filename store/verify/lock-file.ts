import { createHash } from 'node:crypto';
import { ArchiveLockRecord } from '../../schemas/archive-lock.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import { parseCanonical } from './shape.ts';

/**
 * Text of a lock file: line 1 is the canonical JSON of the record, line 2 the SHA-256 of line 1 in hex. The second line
 * protects against a flipped bit, which would turn one date into another. It does not protect against a forger.
 */
export function formatLockFile(lock: ArchiveLockRecord): string {
  const line = canonicalJson(lock);
  return `${line}\n${lineDigest(line)}\n`;
}

/** The record of a lock file; undefined unless every byte is as `formatLockFile` writes it. */
export function parseLockFile(text: string): ArchiveLockRecord | undefined {
  const [line = '', digest, end, ...rest] = text.split('\n');
  if (digest !== lineDigest(line) || end !== '' || rest.length > 0) return undefined;
  return parseCanonical(ArchiveLockRecord, line);
}

function lineDigest(line: string): string {
  return createHash('sha256').update(line).digest('hex');
}
