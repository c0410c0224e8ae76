/** Reads an archive in a folder, and checks that each lock file names the bytes of its object. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFileName, LOCK_SUFFIX, STAGING_FOLDER, type ArchiveLock } from '../../schemas/archive-lock.ts';
import { parseKey, type ParsedKey } from '../chain/layout.ts';
import type { ArchiveReader, ListedObject, OrphanLock } from './archive-reader.ts';
import { parseLockFile } from './lock-file.ts';
import type { Findings } from './report.ts';
import { ifPresent, readIfPresent, readStoredObject, type ObjectDigest } from './stored-object.ts';

interface Folder {
  readonly dir: string;
  /** Lock files without an object so far. `walk` fills it, `checkLock` removes each lock it has matched. */
  readonly unmatchedLocks: Map<string, ParsedKey>;
}

/** `.<sha256>.lock` */
const LOCK_ENDING_LENGTH = 1 + 64 + LOCK_SUFFIX.length;

export function openFolderReader(dir: string): ArchiveReader {
  const folder: Folder = { dir, unmatchedLocks: new Map() };
  return {
    kind: 'folder',
    namesIn: async (name) => (await ifPresent(readdir(join(dir, name))))?.sort() ?? [],
    walk: () => walk(folder),
    read: (key) => readStoredObject(dir, key),
    checkLock: (key, object, index, findings) => checkLock(folder, key, object, { index, findings }),
    orphanLocks: (log, findings) => orphanLocks(folder, log, findings),
  };
}

async function* walk({ dir, unmatchedLocks }: Folder): AsyncGenerator<ListedObject> {
  for await (const { key, isFile } of walkFiles(dir, '')) {
    const objectKey = key.endsWith(LOCK_SUFFIX) ? key.slice(0, -LOCK_ENDING_LENGTH) : key;
    const parsed = isFile ? parseKey(objectKey) : undefined;
    if (parsed !== undefined && objectKey !== key) unmatchedLocks.set(key, parsed);
    else yield { key, parsed };
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
  { dir, unmatchedLocks }: Folder,
  key: string,
  { sha256, sizeBytes }: ObjectDigest,
  { index, findings }: { readonly index: number | null; readonly findings: Findings },
): Promise<ArchiveLock | undefined> {
  const lockName = lockFileName(key, sha256);
  const text = await readIfPresent(join(dir, lockName));
  unmatchedLocks.delete(lockName);
  if (text === undefined) {
    const isLockedOtherwise = [...unmatchedLocks.keys()].some((name) => name.startsWith(`${key}.`));
    findings.fail(isLockedOtherwise ? 'object_damaged' : 'lock_missing', index, key);
    return undefined;
  }
  const lock = parseLockFile(text.toString('latin1'));
  if (lock?.key === key && lock.sha256 === sha256 && lock.size_bytes === sizeBytes) return lock;
  findings.fail('lock_damaged', index, lockName);
  return undefined;
}

/** An interrupted writer leaves lock files without objects, but leaves them whole. */
async function* orphanLocks(
  { dir, unmatchedLocks }: Folder,
  log: string,
  findings: Findings,
): AsyncGenerator<OrphanLock> {
  for (const [name, parsed] of unmatchedLocks) {
    if (parsed.log !== log) continue;
    const text = await readIfPresent(join(dir, name));
    const lock = text === undefined ? undefined : parseLockFile(text.toString('latin1'));
    if (lock === undefined || lockFileName(lock.key, lock.sha256) !== name)
      findings.fail('lock_damaged', null, name);
    yield { name, parsed };
  }
}
