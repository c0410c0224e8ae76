/** Reads an archive in a folder, and checks that each lock file names the bytes of its object. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFileName, LOCK_SUFFIX, STAGING_FOLDER, type ArchiveLock } from '../../schemas/archive-lock.ts';
import { parseFolder, parseKey, type ParsedFolder, type ParsedKey } from '../chain/layout.ts';
import type { ArchiveReader, ListedObject, Remains } from './archive-reader.ts';
import { parseLockFile } from './lock-file.ts';
import type { Findings } from './report.ts';
import { ifPresent, readIfPresent, readStoredObject, type ObjectDigest } from './stored-object.ts';

interface Folder {
  readonly dir: string;
  /** Lock files without an object so far. `walk` fills it, `checkLock` removes each lock it has matched. */
  readonly unmatchedLocks: Map<string, ParsedKey>;
  /** Folders of logs without anything in them. `walk` fills it. */
  readonly emptyFolders: Map<string, ParsedFolder>;
}

const LOCK_ENDING = /\.[0-9a-f]{64}\.lock$/;

export function openFolderReader(dir: string): ArchiveReader {
  const folder: Folder = { dir, unmatchedLocks: new Map(), emptyFolders: new Map() };
  return {
    kind: 'folder',
    list: (prefix, what) => (what === 'folders' ? listFolders(join(dir, prefix)) : listKeys(dir, prefix)),
    walk: () => walk(folder),
    read: (key) => readStoredObject(dir, key),
    checkLock: (key, object, index, findings) => checkLock(folder, key, object, { index, findings }),
    remains: (log, findings) => remains(folder, log, findings),
  };
}

async function* listFolders(dir: string): AsyncGenerator<string> {
  const entries = (await ifPresent(readdir(dir, { withFileTypes: true }))) ?? [];
  const folders = entries.filter((entry) => entry.isDirectory());
  yield* folders.map(({ name }) => name).sort();
}

async function* listKeys(dir: string, prefix: string): AsyncGenerator<string> {
  for await (const { key, kind } of walkFiles(dir, prefix))
    if (kind !== 'empty folder' && !key.endsWith(LOCK_SUFFIX)) yield key;
}

async function* walk({ dir, unmatchedLocks, emptyFolders }: Folder): AsyncGenerator<ListedObject> {
  for await (const { key, kind } of walkFiles(dir, '')) {
    const folder = kind === 'empty folder' ? parseFolder(key) : undefined;
    const objectKey = key.replace(LOCK_ENDING, '');
    const parsed = kind === 'file' ? parseKey(objectKey) : undefined;
    if (folder !== undefined) emptyFolders.set(key, folder);
    else if (parsed !== undefined && objectKey !== key) unmatchedLocks.set(key, parsed);
    else yield { key, parsed };
  }
}

interface Found {
  /** Ends in a slash for a folder. */
  readonly key: string;
  readonly kind: 'file' | 'empty folder' | 'other';
}

async function* walkFiles(dir: string, base: string): AsyncGenerator<Found> {
  const entries = (await ifPresent(readdir(join(dir, base), { withFileTypes: true }))) ?? [];
  if (entries.length === 0 && base !== '') yield { key: base, kind: 'empty folder' };
  for (const entry of entries.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
    const key = `${base}${entry.name}`;
    if (key === STAGING_FOLDER) continue;
    if (entry.isDirectory()) yield* walkFiles(dir, `${key}/`);
    else yield { key, kind: entry.isFile() ? 'file' : 'other' };
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

/** An interrupted writer leaves lock files without objects, but leaves them whole. It leaves folders that it had just made. */
async function* remains(
  { dir, unmatchedLocks, emptyFolders }: Folder,
  log: string,
  findings: Findings,
): AsyncGenerator<Remains> {
  for (const [name, parsed] of unmatchedLocks) {
    if (parsed.log !== log) continue;
    const text = await readIfPresent(join(dir, name));
    const lock = text === undefined ? undefined : parseLockFile(text.toString('latin1'));
    if (lock === undefined || lockFileName(lock.key, lock.sha256) !== name)
      findings.fail('lock_damaged', null, name);
    const { folder, position } = parsed;
    yield { name, place: position === undefined ? undefined : { folder, first: position, last: position } };
  }
  for (const [name, { folder, ...place }] of emptyFolders) {
    if (place.log !== log) continue;
    // A writer may have filled it in the meantime.
    const isEmpty = (await ifPresent(readdir(join(dir, name))))?.length === 0;
    if (isEmpty) yield { name, place: folder === undefined ? undefined : { folder, ...place } };
  }
}
