/**
 * Archive on a local folder. Each object is one file, which its owner alone may read. Beside it stands a lock file with
 * the date until which the object must stay. In: keys and bytes. Out: the same bytes, or an error. Invariant: where an
 * object is visible, the lock file of exactly its bytes is durable.
 *
 * Only the rights of the file system enforce the lock: the owner of the folder can still delete. Verification detects it.
 */
import { createHash } from 'node:crypto';
import { link, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../../schemas/clock.ts';
import { lockFileName, STAGING_FOLDER, type ArchiveLockRecord } from '../../../schemas/archive-lock.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { checkKey, checkPrefix, isKey } from '../archive-key.ts';
import type { ArchiveLock } from '../../../schemas/archive-lock.ts';
import type { Archive } from '../archive.ts';
import { formatLockFile, parseLockFile } from '../../verify/lock-file.ts';

interface LocalArchiveOptions {
  /** Created if missing. Must be one file system, because objects are linked into place. */
  readonly dir: string;
  readonly clock: Clock;
}

interface Staged {
  readonly folder: string;
  readonly object: string;
  readonly lock: string;
}

const READ_ONLY = 0o400;
const OWNER_ONLY_FOLDER = 0o700;
/** A put takes seconds: files that lie in the staging folder for a day were left by a process that died. */
const STAGING_LIFETIME_MS = 24 * 60 * 60 * 1000;

/** Opens or creates the folder and removes half-written files of dead processes. Several processes may share it. */
export async function openLocalArchive({ dir, clock }: LocalArchiveOptions): Promise<Archive> {
  const durableFolders = new Set<string>();
  await translated('opening the archive', async () => {
    await makeRoot(dir);
    await makeStaging(dir);
    await removeStale(join(dir, STAGING_FOLDER), clock() - STAGING_LIFETIME_MS);
  });
  const opened = await translated('opening the archive', () => inodeOf(dir));
  /** A folder that was moved away is not made again: other bytes in an empty place would begin a second history. */
  const requireFolder = async (): Promise<void> => {
    if (opened === (await inodeOf(dir))) return;
    throw new PipelineError('ARCHIVE_UNAVAILABLE', `${dir} is another folder than the one that was opened`);
  };
  /**
   * Another folder may stand in this place for moments only, so the folder is looked at before and after. Damage counts when
   * it is found twice: an object of one folder may have met the lock file of the other.
   */
  const inFolder = async <T>(work: () => Promise<T>): Promise<T> => {
    await requireFolder();
    const result = await work().catch(async (error: unknown) => {
      if (!(error instanceof PipelineError) || error.code !== 'ARCHIVE_DAMAGED') throw error;
      await requireFolder();
      return work();
    });
    await requireFolder();
    return result;
  };
  return {
    put: (key, bytes, lock) =>
      translated(`putting ${key}`, async () => {
        checkKey(key);
        const record = toLockRecord(key, bytes, lock);
        const outcome = await inFolder(async () => {
          await makeFolders(dir, key, durableFolders);
          return putObject(dir, bytes, record);
        });
        // The object may lie in a folder that came and went: nothing rests on it before it is seen in this one.
        await inFolder(() => requireObject(dir, key));
        return outcome;
      }),
    get: (key) =>
      translated(`getting ${key}`, () => {
        checkKey(key);
        return inFolder(() => getObject(dir, key));
      }),
    async *list(prefix, after) {
      await translated(`listing ${prefix}`, requireFolder);
      yield* listKeys(dir, prefix, after);
      await translated(`listing ${prefix}`, requireFolder);
    },
    folders: (prefix) =>
      translated(`listing ${prefix}`, async () => {
        checkPrefix(prefix);
        await requireFolder();
        const entries = await readFolder(join(dir, prefix));
        await requireFolder();
        return entries
          .filter((entry) => entry.isDirectory() && isKey(entry.name))
          .map(({ name }) => name)
          .sort();
      }),
    close: () => Promise.resolve(),
  };
}

async function requireObject(dir: string, key: string): Promise<void> {
  if ((await stat(join(dir, key)).catch(ignoreMissing)) !== undefined) return;
  throw new PipelineError('ARCHIVE_UNAVAILABLE', `${key} was put into another folder that stood at ${dir}`);
}

/**
 * Creates object and lock. After a crash on the line behind each mark it is true that:
 *  1. nothing of this put is visible; the staged files are removed by a later open.
 *  2. the lock file may be there without an object. It names the digest of these bytes and is looked at for no others,
 *     so it neither blocks a retry with other bytes nor reads as a missing object.
 *  3. the lock is durable, and the object is there as a whole or not at all: the put may have been applied.
 *  4. object and lock are durable; only the caller has no answer.
 */
async function putObject(dir: string, bytes: Uint8Array, lock: ArchiveLockRecord) {
  const objectPath = join(dir, lock.key);
  const lockPath = join(dir, lockFileName(lock.key, lock.sha256));
  const staged = await stage(dir, bytes, lock); // 1
  try {
    const isOwnLock = await placeLock(staged.lock, lockPath, lock); // 2
    await syncFolder(dirname(lockPath));
    // link(2) fails if the name exists, in one step: of concurrent writers exactly one passes.
    const isNew = await linkIfAbsent(staged.object, objectPath); // 3
    if (!isNew && digestOf(await readFile(objectPath)) !== lock.sha256) {
      // The name is taken for good, so the lock that was just made for other bytes is of no use to anybody.
      if (isOwnLock) await unlink(lockPath).catch(ignoreMissing);
      // Throws ARCHIVE_DAMAGED where the present bytes were never put: then the file was changed, and no rival wrote it.
      await getObject(dir, lock.key);
      throw new PipelineError('ARCHIVE_CONFLICT', `${lock.key} exists with other bytes`, { place: lock.key });
    }
    await syncFolder(dirname(objectPath)); // 4
    return isNew ? ('created' as const) : ('exists' as const);
  } finally {
    // A failed removal must not fail a durable put; a later open removes the files.
    await rm(staged.folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Writes both files in full and to stable storage where no reader looks. */
async function stage(dir: string, bytes: Uint8Array, lock: ArchiveLockRecord): Promise<Staged> {
  await makeStaging(dir);
  const folder = await mkdtemp(join(dir, STAGING_FOLDER, 'put-'));
  const staged = { folder, object: join(folder, 'object'), lock: join(folder, 'lock') };
  try {
    await Promise.all([
      writeDurably(staged.object, bytes),
      writeDurably(staged.lock, Buffer.from(formatLockFile(lock))),
    ]);
    return staged;
  } catch (error) {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

/** Links the lock file; false where the same bytes have one already. That one stays, unless the new one protects longer. */
async function placeLock(stagedPath: string, lockPath: string, lock: ArchiveLockRecord): Promise<boolean> {
  if (await linkIfAbsent(stagedPath, lockPath)) return true;
  const present = parseLockFile(await readFile(lockPath, 'utf8'));
  if (present === undefined) {
    throw new PipelineError('ARCHIVE_DAMAGED', `lock file of ${lock.key} does not read as written`, {
      place: lock.key,
    });
  }
  if (!protectsAsMuch(present, lock)) await rename(stagedPath, lockPath);
  return false;
}

function protectsAsMuch(present: ArchiveLockRecord, asked: ArchiveLockRecord): boolean {
  const keepsMode = present.mode === 'compliance' || asked.mode === 'governance';
  return keepsMode && Date.parse(present.retain_until) >= Date.parse(asked.retain_until);
}

async function getObject(dir: string, key: string): Promise<Uint8Array | undefined> {
  const bytes = await readIfPresent(join(dir, key));
  if (bytes === undefined) return undefined;
  const sha256 = digestOf(bytes);
  const text = await readIfPresent(join(dir, lockFileName(key, sha256)));
  const lock = text === undefined ? undefined : parseLockFile(text.toString('utf8'));
  if (lock?.key !== key || lock.sha256 !== sha256 || lock.size_bytes !== bytes.length) {
    throw new PipelineError('ARCHIVE_DAMAGED', `${key} has no lock file for the bytes it holds`, {
      place: key,
    });
  }
  return bytes;
}

/** Walks folders in the byte order of whole keys: a folder sorts as its name with the slash behind it. */
async function* listKeys(dir: string, prefix: string, after = ''): AsyncGenerator<string> {
  checkPrefix(prefix);
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  for await (const key of walkKeys(dir, base, { prefix, after })) if (key > after) yield key;
}

interface KeyRange {
  readonly prefix: string;
  readonly after: string;
}

async function* walkKeys(dir: string, base: string, range: KeyRange): AsyncGenerator<string> {
  const entries = await translated(`listing ${base}`, () => readFolder(join(dir, base)));
  const names = entries
    .filter((entry) => isKey(entry.name))
    .map((entry) => `${base}${entry.name}${entry.isDirectory() ? '/' : ''}`)
    .filter((key) => key.startsWith(range.prefix));
  // Keys are ASCII, where the order of code units is the order of bytes.
  for (const key of names.sort()) {
    if (!key.endsWith('/')) yield key;
    // All keys of a folder lie on the same side of a key that is not inside it.
    else if (key > range.after || range.after.startsWith(key)) yield* walkKeys(dir, key, range);
  }
}

/** Throws for a retention date that could not be read back. */
function toLockRecord(key: string, bytes: Uint8Array, lock: ArchiveLock): ArchiveLockRecord {
  const record: ArchiveLockRecord = {
    v: 1,
    key,
    sha256: digestOf(bytes),
    size_bytes: bytes.length,
    mode: lock.mode,
    retain_until: lock.retain_until,
    legal_hold: false,
  };
  if (parseLockFile(formatLockFile(record)) === undefined) {
    throw new PipelineError('PARAMETER_INVALID', 'archive lock is not valid', { place: key });
  }
  return record;
}

/** Makes the archive's folder and those above it, each name flushed in its parent. */
async function makeRoot(dir: string): Promise<void> {
  if ((await stat(dir).catch(ignoreMissing)) !== undefined) return;
  await makeRoot(dirname(dir));
  await makeFolder(dir);
}

/**
 * Makes the folders of a key, so that they survive a power cut. A folder that exists already is flushed once too: the
 * process that made it may have died before it flushed it.
 */
async function makeFolders(dir: string, key: string, durable: Set<string>): Promise<void> {
  let folder = dir;
  for (const segment of key.split('/').slice(0, -1)) {
    folder = join(folder, segment);
    if (!durable.has(folder)) await makeFolder(folder);
    durable.add(folder);
  }
}

async function makeStaging(dir: string): Promise<void> {
  await mkdir(join(dir, STAGING_FOLDER), { mode: OWNER_ONLY_FOLDER }).catch(ignoreExisting);
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { mode: OWNER_ONLY_FOLDER }).catch(ignoreExisting);
  await syncFolder(dirname(folder));
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', READ_ONLY);
  try {
    await file.writeFile(bytes);
    await file.chmod(READ_ONLY);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    ignoreExisting(error);
    return false;
  }
}

/** Device and inode of a folder. */
async function inodeOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${String(dev)}:${String(ino)}`;
}

async function removeStale(staging: string, beforeUnixMs: number): Promise<void> {
  for (const entry of await readFolder(staging)) {
    const path = join(staging, entry.name);
    const age = await stat(path).catch(ignoreMissing);
    if (age !== undefined && age.mtimeMs < beforeUnixMs) await rm(path, { recursive: true, force: true });
  }
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(ignoreMissing);
}

async function readFolder(path: string) {
  return (await readdir(path, { withFileTypes: true }).catch(ignoreMissing)) ?? [];
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}

function ignoreExisting(error: unknown): undefined {
  if (systemCode(error) !== 'EEXIST') throw error;
}

/** Every refusal of the file system (no space, read-only, I/O error, no rights, too many files) is to be retried later. */
async function translated<T>(attempt: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw new PipelineError('ARCHIVE_UNAVAILABLE', `${attempt}: ${code}`, { cause: error });
  }
}
