/** An archive in a folder: the files below it, and whether each holds the bytes its lock file names. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFileName, LOCK_SUFFIX, STAGING_FOLDER } from '../../schemas/archive-lock.ts';
import { parseKey, type Place } from '../chain/layout.ts';
import { ifPresent, readArchiveObject, readIfPresent, type ArchiveObject } from './archive-object.ts';
import type { ArchiveSource, LoneLock, SourceEntry } from './archive-source.ts';
import { parseLockFile } from './lock-file.ts';
import type { Findings } from './report.ts';

interface Folder {
  readonly dir: string;
  /** Names of lock files that no object was found for yet; `checkLock` takes out those it has matched. */
  readonly locks: Map<string, Place>;
}

/** `.<sha256>.lock` */
const LOCK_ENDING_LENGTH = 1 + 64 + LOCK_SUFFIX.length;

export function openFolder(dir: string): ArchiveSource {
  const folder: Folder = { dir, locks: new Map() };
  return {
    kind: 'folder',
    namesIn: async (name) => (await ifPresent(readdir(join(dir, name))))?.sort() ?? [],
    walk: () => walk(folder),
    read: (key) => readArchiveObject(dir, key),
    checkLock: (key, object, index, findings) => checkLock(folder, key, object, { index, findings }),
    loneLocks: (log, findings) => loneLocks(folder, log, findings),
  };
}

async function* walk({ dir, locks }: Folder): AsyncGenerator<SourceEntry> {
  for await (const { key, isFile } of walkFiles(dir, '')) {
    const objectKey = key.endsWith(LOCK_SUFFIX) ? key.slice(0, -LOCK_ENDING_LENGTH) : key;
    const place = isFile ? parseKey(objectKey) : undefined;
    if (place !== undefined && objectKey !== key) locks.set(key, place);
    else yield { key, place };
  }
}

async function* walkFiles(dir: string, base: string): AsyncGenerator<{ key: string; isFile: boolean }> {
  const entries = await readdir(join(dir, base), { withFileTypes: true });
  for (const entry of entries.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
    const key = `${base}${entry.name}`;
    if (key === STAGING_FOLDER) continue;
    if (entry.isDirectory()) yield* walkFiles(dir, `${key}/`);
    else yield { key, isFile: entry.isFile() };
  }
}

/** SPEC (archive.md): beside each object lies the lock file whose name carries the SHA-256 of the object's bytes. */
async function checkLock(
  { dir, locks }: Folder,
  key: string,
  { sha256, size }: Omit<ArchiveObject, 'bytes'>,
  { index, findings }: { readonly index: number | null; readonly findings: Findings },
): Promise<void> {
  const lockName = lockFileName(key, sha256);
  const text = await readIfPresent(join(dir, lockName));
  locks.delete(lockName);
  if (text === undefined) {
    const isLockedOtherwise = [...locks.keys()].some((name) => name.startsWith(`${key}.`));
    findings.fail(isLockedOtherwise ? 'object_damaged' : 'lock_missing', index, key);
    return;
  }
  const lock = parseLockFile(text.toString('latin1'));
  if (lock?.key !== key || lock.sha256 !== sha256 || lock.size_bytes !== size) {
    findings.fail('lock_damaged', index, lockName);
  }
}

/** An interrupted writer leaves lock files without objects, but leaves them whole. */
async function* loneLocks({ dir, locks }: Folder, log: string, findings: Findings): AsyncGenerator<LoneLock> {
  for (const [name, place] of locks) {
    if (place.log !== log) continue;
    const text = await readIfPresent(join(dir, name));
    const lock = text === undefined ? undefined : parseLockFile(text.toString('latin1'));
    if (lock === undefined || lockFileName(lock.key, lock.sha256) !== name)
      findings.fail('lock_damaged', null, name);
    yield { name, place };
  }
}
