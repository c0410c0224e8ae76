import { Type, type Static } from 'typebox';
import { HashHex, InstantUtc, SafeCount } from './primitives.ts';

/** How long an object must stay. Nobody can shorten `compliance`. */
export const ArchiveLock = Type.Object(
  {
    mode: Type.Union([Type.Literal('compliance'), Type.Literal('governance')]),
    retain_until: InstantUtc,
  },
  { additionalProperties: false },
);
export type ArchiveLock = Static<typeof ArchiveLock>;

/** Whether a lock keeps an object at least as strictly and as long as the lock that was asked for. */
export function holds(present: ArchiveLock | undefined, asked: ArchiveLock): boolean {
  if (present === undefined) return false;
  const keepsMode = present.mode === 'compliance' || asked.mode === 'governance';
  return keepsMode && Date.parse(present.retain_until) >= Date.parse(asked.retain_until);
}

/**
 * The lock file that the local archive writes beside each object; S3 keeps the same as object lock metadata. `sha256`
 * and `size_bytes` are of the stored bytes. docs/formats/archive.md gives the layout of the file.
 */
export const ArchiveLockRecord = Type.Object(
  {
    v: Type.Literal(1),
    key: Type.String(),
    sha256: HashHex,
    size_bytes: SafeCount,
    ...ArchiveLock.properties,
    legal_hold: Type.Boolean(),
  },
  { additionalProperties: false },
);
export type ArchiveLockRecord = Static<typeof ArchiveLockRecord>;

/** Ending of a lock file's name; no archive key may end so. */
export const LOCK_SUFFIX = '.lock';

/** Folder of the local archive for files that are not objects yet. Files in it are not evidence. */
export const STAGING_FOLDER = '.staging';

/**
 * Name of the lock file of an object. It carries the digest of the bytes it locks, so that two writers of one key
 * with different bytes never touch each other's lock file, and a lock left by a crash never blocks a later write.
 */
export function lockFileName(key: string, sha256: string): string {
  return `${key}.${sha256}${LOCK_SUFFIX}`;
}
