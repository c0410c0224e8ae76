/** The files below an archive folder: which there are, and whether each holds the bytes its lock file names. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFileName, LOCK_SUFFIX, STAGING_FOLDER } from '../../../schemas/archive-lock.ts';
import { PACKAGE_PATHS } from '../../../schemas/evidence-package.ts';
import { bundlePrefix, checkpointPrefix, LOG_ROOT, parseKey, type Place } from '../layout.ts';
import { ifPresent, readArchiveObject, readIfPresent, type ArchiveObject } from './archive-object.ts';
import { parseLockFile } from './lock-file.ts';
import type { Findings } from './report.ts';

/** A log's objects. Numbers rise. `early` was listed before everything else, for archives that are being written to. */
export interface LogFiles {
  readonly log: string;
  readonly early: { readonly bundles: number[]; readonly checkpoints: number[] };
  readonly bundles: number[];
  readonly checkpoints: number[];
  /** Keys of payload objects. */
  readonly payloads: Set<string>;
  readonly hasGenesis: boolean;
}

export interface ArchiveFiles {
  readonly dir: string;
  readonly logs: readonly LogFiles[];
  /** Whether the folder holds what makes an evidence package instead. */
  readonly hasManifest: boolean;
  /** Names of lock files that no object was found for yet; `checkLock` takes out those it has matched. */
  readonly locks: Map<string, Place>;
}

/** `.<sha256>.lock` */
const LOCK_ENDING_LENGTH = 1 + 64 + LOCK_SUFFIX.length;

/**
 * Lists everything. A writer adds payloads, then a bundle, then its checkpoint; listing them the other way round first
 * means that whatever an early list names is complete in the later one.
 */
export async function listArchive(dir: string, findings: Findings): Promise<ArchiveFiles> {
  const logs = new Map<string, LogFiles>();
  for (const log of await namesIn(join(dir, LOG_ROOT))) {
    const checkpoints = await numbersIn(join(dir, checkpointPrefix(log)));
    const bundles = await numbersIn(join(dir, bundlePrefix(log)));
    const hasGenesis = (await namesIn(join(dir, LOG_ROOT, log))).includes('genesis');
    logs.set(log, {
      hasGenesis,
      log,
      early: { bundles, checkpoints },
      bundles: [],
      checkpoints: [],
      payloads: new Set(),
    });
  }
  const hasManifest = (await namesIn(dir)).includes(PACKAGE_PATHS.manifest);
  const files: ArchiveFiles = { dir, logs: [...logs.values()], hasManifest, locks: new Map() };
  for await (const { key, isFile } of walk(dir, '')) {
    const objectKey = key.endsWith(LOCK_SUFFIX) ? key.slice(0, -LOCK_ENDING_LENGTH) : key;
    const place = isFile ? parseKey(objectKey) : undefined;
    if (place === undefined) findings.fail('file_unexpected', null, key);
    else if (objectKey !== key) files.locks.set(key, place);
    else sortIn(logs.get(place.log), key, place);
  }
  return files;
}

function sortIn(files: LogFiles | undefined, key: string, { folder, position = 0 }: Place): void {
  if (folder === 'facts' || folder === 'content') files?.payloads.add(key);
  else if (folder === 'bundle') files?.bundles.push(position);
  else if (folder === 'checkpoint') files?.checkpoints.push(position);
}

/** An object, or undefined if there is none. Damaged bytes are given too: later checks tell which leaves suffer. */
export async function readObject(
  files: ArchiveFiles,
  key: string,
  index: number | null,
  findings: Findings,
): Promise<ArchiveObject | undefined> {
  const object = await readArchiveObject(files.dir, key);
  if (object !== undefined) await checkLock(files, key, object, index, findings);
  return object;
}

/** SPEC (archive.md): beside each object lies the lock file whose name carries the SHA-256 of the object's bytes. */
export async function checkLock(
  files: ArchiveFiles,
  key: string,
  { sha256, size }: Pick<ArchiveObject, 'sha256' | 'size'>,
  index: number | null,
  findings: Findings,
): Promise<void> {
  const lockName = lockFileName(key, sha256);
  const text = await readIfPresent(join(files.dir, lockName));
  files.locks.delete(lockName);
  if (text === undefined) {
    const isLockedOtherwise = [...files.locks.keys()].some((name) => name.startsWith(`${key}.`));
    findings.fail(isLockedOtherwise ? 'object_damaged' : 'lock_missing', index, key);
    return;
  }
  const lock = parseLockFile(text.toString('latin1'));
  if (lock?.key !== key || lock.sha256 !== sha256 || lock.size_bytes !== size) {
    findings.fail('lock_damaged', index, lockName);
  }
}

/** Checks a lock file that no object was found for: an interrupted writer leaves one, but leaves it whole. */
export async function checkLoneLock(files: ArchiveFiles, name: string, findings: Findings): Promise<void> {
  const text = await readIfPresent(join(files.dir, name));
  const lock = text === undefined ? undefined : parseLockFile(text.toString('latin1'));
  if (lock === undefined || lockFileName(lock.key, lock.sha256) !== name)
    findings.fail('lock_damaged', null, name);
}

async function* walk(dir: string, base: string): AsyncGenerator<{ key: string; isFile: boolean }> {
  const entries = await readdir(join(dir, base), { withFileTypes: true });
  for (const entry of entries.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
    const key = `${base}${entry.name}`;
    if (key === STAGING_FOLDER) continue;
    if (entry.isDirectory()) yield* walk(dir, `${key}/`);
    else yield { key, isFile: entry.isFile() };
  }
}

async function numbersIn(folder: string): Promise<number[]> {
  const names = await namesIn(folder);
  return names
    .filter((name) => /^[0-9]{20}$/.test(name))
    .map(Number)
    .filter(Number.isSafeInteger);
}

async function namesIn(folder: string): Promise<string[]> {
  return (await ifPresent(readdir(folder)))?.sort() ?? [];
}
