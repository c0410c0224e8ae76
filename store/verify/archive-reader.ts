/** PORT: an archive as verification reads it. */
import { holds, type ArchiveLock } from '../../schemas/archive-lock.ts';
import type { ObjectKind, ParsedKey } from '../chain/layout.ts';
import type { Findings } from './report.ts';
import type { ObjectDigest, StoredObject } from './stored-object.ts';

/** One thing that lies in an archive. `parsed` is undefined where the name is not a key of an archive. */
export interface ListedObject {
  readonly key: string;
  readonly parsed: ParsedKey | undefined;
}

/** A lock without its object, or a folder without anything in it, as an interrupted writer leaves them. */
export interface Remains {
  readonly name: string;
  /** Where its objects belong; undefined for the genesis and the folder of the log. */
  readonly place: RemainsPlace | undefined;
}

export interface RemainsPlace {
  readonly folder: ObjectKind;
  /** The positions that its objects have, both inclusive. */
  readonly first: number;
  readonly last: number;
}

/**
 * Gives names and bytes, and reports how objects are kept. The caller judges the bytes. A defect of the archive becomes
 * a failure; a defect of the medium rejects. Reading changes nothing.
 */
export interface ArchiveReader {
  /** How people name the place that was given: a folder, or a prefix of a bucket. */
  readonly kind: 'folder' | 'prefix';
  /** Keys of all objects below a prefix that ends in a slash, or names of the folders directly below it; ascending, unjudged. */
  list(prefix: string, what: 'objects' | 'folders'): AsyncIterable<string>;
  /** Everything but `remains`, each thing once. The caller walks to the end before it asks for anything else. */
  walk(findings: Findings): AsyncIterable<ListedObject>;
  /** Undefined where the object does not exist. Damaged bytes are given too: later checks say which leaves they break. */
  read(key: string): Promise<StoredObject | undefined>;
  /**
   * Reports unless the object is kept as the archive keeps its objects, and its lock names exactly these bytes. Resolves
   * to the lock; undefined where none reads, which was reported.
   */
  checkLock(
    key: string,
    object: ObjectDigest,
    index: number | null,
    findings: Findings,
  ): Promise<ArchiveLock | undefined>;
  /** Remains of a log, asked for after all objects were checked. Reports damaged locks. */
  remains(log: string, findings: Findings): AsyncIterable<Remains>;
}

/** An object as it is kept. */
export interface KeptObject extends StoredObject {
  readonly lock: ArchiveLock | undefined;
}

/** An object, or undefined where it does not exist. Reports where it is not kept as it should be. */
export async function readObject(
  reader: ArchiveReader,
  key: string,
  index: number | null,
  findings: Findings,
): Promise<KeptObject | undefined> {
  const object = await reader.read(key);
  return object && { ...object, lock: await reader.checkLock(key, object, index, findings) };
}

/**
 * SPEC (archive.md): each bundle and each genesis names, under its signature, the lock of itself and of its objects. No
 * object is kept less strictly or for less time. A lock that does not read was reported before.
 */
export function checkLockHolds(
  key: string,
  { lock, signed }: { readonly lock: ArchiveLock | undefined; readonly signed: ArchiveLock },
  index: number | null,
  findings: Findings,
): void {
  if (lock === undefined || holds(lock, signed)) return;
  const describe = ({ mode, retain_until }: ArchiveLock) => `${mode} until ${retain_until}`;
  findings.fail(
    'lock_weakened',
    index,
    `${key} is under ${describe(lock)}, its log signed ${describe(signed)}`,
  );
}
