/** LMDB environments with durable commits. */
import { statfsSync, statSync } from 'node:fs';
import { mkdir, open as openFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';
import { PipelineError } from '../../schemas/errors.ts';

export type BinaryDatabase = Database<Buffer, Buffer>;

/** Room on a disk. */
export interface Room {
  readonly bytes: number;
  /** Files that can still be made: a disk may run out of inodes long before it runs out of bytes. */
  readonly files: number;
}

/** An LMDB environment opened for durable commits. */
export interface Environment {
  database(name: string): BinaryDatabase;
  /**
   * Runs `action` synchronously inside one write transaction and resolves with its result when the transaction is on
   * stable storage. All or nothing: if `action` throws or the commit fails, none of its writes stays. Throws LOG_PUSHBACK
   * where the map is full and LOG_UNAVAILABLE where the medium fails or does not answer; a PipelineError of `action`
   * passes unchanged. Where the disk has less room than `MIN_FREE_BYTES` plus the bytes of `need`, or fewer files to give
   * than `need` says, it throws LOG_UNAVAILABLE and begins no transaction. The same where the folder was moved, removed or
   * replaced since it was opened; if that happens during the transaction, LOG_UNAVAILABLE leaves open whether the writes
   * stay.
   */
  commit<T>(action: () => T, need?: Room): Promise<T>;
  /** Makes the next read see all commits of all threads and processes. */
  refresh(): void;
  /** Waits for commits in flight. Idempotent. */
  close(): Promise<void>;
}

interface EnvironmentOptions {
  /** Address space to reserve; LMDB grows it when the data exceeds it. */
  readonly mapBytes: number;
  /** @default 30000 */
  readonly commitDeadlineMs?: number;
}

/**
 * Room on the disk below which no transaction is begun. A write to a full disk damages the library's memory, and then
 * the process dies or hangs: seen with lmdb 3.5.6, in the flush of a spilled page. So no write may meet a full disk, not
 * even when others fill it while a transaction is being written.
 */
const MIN_FREE_BYTES = 8 * 1024 * 1024;

/** A commit makes no file. */
const NO_ROOM: Room = { bytes: 0, files: 0 };

/** The name that LMDB gives its file of pages. */
const DATA_FILE = 'data.mdb';

/** `MDB_MAP_FULL` of lmdb.h. */
const MDB_MAP_FULL = -30792;

/**
 * Opens or creates the environment in folder `dir`, readable by this user alone.
 *
 * `overlappingSync` is off on purpose. With it, a commit is visible to readers before it is flushed: the sequencer
 * could seal an entry that a power cut then removes, and its offset would go to another envelope that nobody reads.
 * Without it LMDB commits in the order write pages, fdatasync, write the meta page through an O_DSYNC descriptor, and
 * only then shows the transaction to readers and resolves. So visible means durable, to every thread and process, and a
 * crash between the two steps leaves the previous meta page in force.
 *
 * The folders are synced too, because a file is only as durable as its directory entry.
 *
 * Open an environment once per thread: opening waits for the write lock, and a second handle of the same thread would
 * wait for a commit that this thread has yet to run.
 */
export async function openEnvironment(dir: string, options: EnvironmentOptions): Promise<Environment> {
  const path = resolve(dir);
  const root = await openDurably(path, options.mapBytes);
  const file = join(path, DATA_FILE);
  const opened = inodeOf(file);
  const requireInPlace = (): void => {
    if (opened !== undefined && inodeOf(file) === opened) return;
    throw new PipelineError('LOG_UNAVAILABLE', `${file} is not the file that was opened`);
  };
  const deadlineMs = options.commitDeadlineMs ?? 30_000;
  // `commit` owns the count: commits that passed their deadline and have not ended. `close` sets `closing` once.
  let overdueCount = 0;
  let closing: Promise<void> | undefined;

  async function commit<T>(action: () => T, need: Room = NO_ROOM): Promise<T> {
    if (closing !== undefined) throw new PipelineError('LOG_UNAVAILABLE', 'the environment is closed');
    if (overdueCount > 0) throw new PipelineError('LOG_UNAVAILABLE', 'an earlier commit has not finished');
    let committed: Promise<T>;
    try {
      requireInPlace();
      requireRoom(path, { ...need, bytes: MIN_FREE_BYTES + need.bytes });
      // A child transaction and not a plain one: a throw rolls its writes back.
      committed = root.childTransaction(action);
    } catch (error) {
      throw await toPipelineError(error);
    }
    const overdue = (): void => {
      overdueCount += 1;
      const settled = (): void => void (overdueCount -= 1);
      committed.then(settled, settled);
    };
    try {
      const result = await withDeadline(committed, deadlineMs, overdue);
      // The file is open wherever it lies, so the commit is durable there. An answer must mean that the next start finds it.
      requireInPlace();
      return result;
    } catch (error) {
      throw await toPipelineError(error);
    }
  }

  return {
    database: (name) => root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' }),
    commit,
    refresh: () => {
      root.resetReadTxn();
    },
    // Closing would wait for a commit that never ends, so then the environment stays open until the process exits.
    close: () => (closing ??= overdueCount > 0 ? Promise.resolve() : root.close()),
  };
}

/**
 * lmdb never answers where its writer cannot begin a transaction, as after a failed write of the meta page. A commit that
 * exceeds its deadline is refused. It may still be applied, which the port allows.
 */
function withDeadline<T>(work: Promise<T>, deadlineMs: number, overdue: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      overdue();
      reject(new PipelineError('LOG_UNAVAILABLE', `commit not finished after ${deadlineMs} ms`));
    }, deadlineMs);
    work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

async function openDurably(path: string, mapBytes: number): Promise<RootDatabase<Buffer, Buffer>> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    // The lock file is written through a map, where a full disk ends the process with a signal.
    requireRoom(path, { bytes: MIN_FREE_BYTES, files: 0 });
    const options = {
      path,
      noSubdir: false,
      overlappingSync: false,
      // With it on, lmdb makes a promise per event turn that nobody holds: on a full disk it rejects unhandled and ends
      // the process.
      eventTurnBatching: false,
      mapSize: mapBytes,
      maxDbs: 4,
      // Not in the typings of lmdb 3.5.
      permissionsMode: 0o600,
    };
    const root = open<Buffer, Buffer>(options);
    await syncFolder(path);
    await syncFolder(dirname(path));
    return root;
  } catch (error) {
    throw await toPipelineError(error);
  }
}

/** Device and inode; undefined where there is no file. */
function inodeOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : `${String(found.dev)}:${String(found.ino)}`;
}

/** A system call of microseconds, before a flush of milliseconds. */
function requireRoom(path: string, { bytes, files: needed }: Room): void {
  const { bavail, bsize, blocks, ffree, files } = statfsSync(path);
  // Some network file systems report no size.
  if (blocks > 0 && bavail * bsize < bytes) {
    throw new PipelineError('LOG_UNAVAILABLE', `fewer than ${String(bytes)} bytes are free on the disk`);
  }
  // File systems that make inodes as they need them report none.
  if (files > 0 && ffree < needed) {
    throw new PipelineError('LOG_UNAVAILABLE', `fewer than ${String(needed)} inodes are free on the disk`);
  }
}

/** Flushes the names of a folder. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await openFile(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** lmdb rejects with a wrapper whose `commitError` is a promise that rejects with the cause and its number. */
async function toPipelineError(error: unknown): Promise<PipelineError> {
  if (error instanceof PipelineError) return error;
  const wrapped = property(error, 'commitError');
  const cause: unknown =
    wrapped instanceof Promise ? await wrapped.catch((reason: unknown) => reason) : error;
  return property(cause, 'code') === MDB_MAP_FULL
    ? new PipelineError('LOG_PUSHBACK', 'no room left in the map', { cause })
    : new PipelineError('LOG_UNAVAILABLE', 'the environment cannot commit', { cause });
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
