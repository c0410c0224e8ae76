import { statfsSync } from 'node:fs';
import { mkdir, open as openFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';
import { PipelineError } from '../../schemas/errors.ts';

export type BinaryDatabase = Database<Buffer, Buffer>;

/** An LMDB environment opened for durable commits. */
export interface Environment {
  database(name: string): BinaryDatabase;
  /**
   * Runs `action` synchronously inside one write transaction and resolves with its result when the transaction is on
   * stable storage. All or nothing: if `action` throws or the commit fails, no write of it stays. Throws LOG_PUSHBACK
   * when the map is full and LOG_UNAVAILABLE when the medium fails or does not answer; a PipelineError of `action`
   * passes unchanged. Nothing is begun, and LOG_UNAVAILABLE is thrown, where the disk has less room than
   * `MIN_FREE_BYTES` and `needBytes` on top.
   */
  commit<T>(action: () => T, needBytes?: number): Promise<T>;
  /** Makes the next read see what any thread or process has committed. */
  refresh(): void;
  /** Waits for commits in flight. Idempotent. */
  close(): Promise<void>;
}

export interface EnvironmentOptions {
  /** Address space to reserve; grown by LMDB when the data passes it. */
  readonly mapBytes: number;
  /** @default 30000 */
  readonly commitDeadlineMs?: number;
}

/**
 * Room on the disk below which no transaction is begun. A write that finds the disk full leaves the library's memory
 * damaged, and the process dies of it or hangs: seen with lmdb 3.5.6, in the flush of a spilled page. So the disk must
 * not be found full, not even when others fill it while a transaction is being written.
 */
export const MIN_FREE_BYTES = 8 * 1024 * 1024;

/** `MDB_MAP_FULL` of lmdb.h. */
const MDB_MAP_FULL = -30792;

/**
 * Opens or creates the environment in folder `dir`, readable by this user alone.
 *
 * `overlappingSync` is off on purpose. With it, a commit is visible to readers before it is flushed: the sequencer
 * could seal an entry that a power cut then takes back, and its offset would be given to another envelope that
 * nobody reads. Without it LMDB commits in the order write pages, fdatasync, write the meta page through an O_DSYNC
 * descriptor, and only then shows the transaction to readers and resolves. So visible means durable, to every thread
 * and process, and a crash between the two steps leaves the previous meta page in force.
 *
 * The folders are synced too, because a file is only as durable as its directory entry.
 *
 * Open an environment once per thread: opening waits for the write lock, and a second handle of the same thread would
 * wait for a commit that this thread has yet to run.
 */
export async function openEnvironment(dir: string, options: EnvironmentOptions): Promise<Environment> {
  const path = resolve(dir);
  const root = await openDurably(path, options.mapBytes);
  const deadlineMs = options.commitDeadlineMs ?? 30_000;
  let overdueCount = 0;
  let closing: Promise<void> | undefined;

  async function commit<T>(action: () => T, needBytes = 0): Promise<T> {
    if (closing !== undefined) throw new PipelineError('LOG_UNAVAILABLE', 'the environment is closed');
    if (overdueCount > 0) throw new PipelineError('LOG_UNAVAILABLE', 'an earlier commit has not finished');
    let committed: Promise<T>;
    try {
      requireRoom(path, MIN_FREE_BYTES + needBytes);
      // A child transaction rather than a plain one: what it wrote before a throw is rolled back.
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
      return await withDeadline(committed, deadlineMs, overdue);
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
    // Closing waits for commits, so one that never ends is left behind for the process to take with it.
    close: () => (closing ??= overdueCount > 0 ? Promise.resolve() : root.close()),
  };
}

/**
 * lmdb answers nothing at all if its writer cannot begin a transaction, as after a failed write of the meta page.
 * A commit that passes its deadline is refused; it may still be applied, which the port allows.
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
    requireRoom(path, MIN_FREE_BYTES);
    const options = {
      path,
      noSubdir: false,
      overlappingSync: false,
      // With it on, lmdb makes a promise of its own per event turn that nobody holds: if the disk is full it rejects
      // unhandled and takes the process along.
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

/** A call of the system that takes microseconds, beside a flush that takes milliseconds. */
function requireRoom(path: string, bytes: number): void {
  const { bavail, bsize, blocks } = statfsSync(path);
  // Some network file systems tell no size at all.
  if (blocks === 0 || bavail * bsize >= bytes) return;
  throw new PipelineError('LOG_UNAVAILABLE', `fewer than ${String(bytes)} bytes are free on the disk`);
}

async function syncFolder(path: string): Promise<void> {
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
