/**
 * Ports of a ledger that write the same files and rows as the real adapters, and flush nothing on the way: a dataset that
 * is cut short is thrown away. In: the calls of the ledger. Out: the archive folder, and rows in large inserts.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lockFileName } from '../../schemas/archive-lock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../../store/archive/archive.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import type { HeadGuard } from '../../store/keys/signer.ts';
import type { RecordRow, RecordStore } from '../../store/records/record-store.ts';
import { formatLockFile } from '../../store/verify/lock-file.ts';

const READ_ONLY = { mode: 0o444, flag: 'wx' } as const;

export interface QuickArchive extends Archive {
  written(): { readonly files: number; readonly bytes: number };
}

/** Writes objects and lock files as the local archive lays them out; reads through it. */
export function quickArchive(dir: string, archive: Archive): QuickArchive {
  const made = new Set<string>();
  let files = 0;
  let bytes = 0;
  const write = (path: string, content: Uint8Array | string): void => {
    const folder = dirname(path);
    if (!made.has(folder)) mkdirSync(folder, { recursive: true });
    made.add(folder);
    writeFileSync(path, content, READ_ONLY);
    files += 1;
    bytes += content.length;
  };
  return {
    put: (key, content, { mode, retain_until }) =>
      new Promise((resolve) => {
        if (existsSync(join(dir, key))) throw new PipelineError('ARCHIVE_CONFLICT', `${key} exists`);
        const sha256 = sha256Hex(content);
        const lock = { v: 1, key, sha256, size_bytes: content.length, mode, retain_until } as const;
        write(join(dir, lockFileName(key, sha256)), formatLockFile({ ...lock, legal_hold: false }));
        write(join(dir, key), content);
        resolve('created');
      }),
    get: (key) => archive.get(key),
    list: (prefix, after) => archive.list(prefix, after),
    folders: (prefix) => archive.folders(prefix),
    close: () => archive.close(),
    written: () => ({ files, bytes }),
  };
}

export interface GatheredRows extends RecordStore {
  /** Resolves when all rows so far are in the store. */
  flush(): Promise<void>;
}

/**
 * Gathers the rows of many bundles for one insert: the engine takes milliseconds for each, however few rows it has. While
 * it inserts, the next rows are gathered.
 */
export function gatherRows(records: RecordStore, rowsPerInsert: number): GatheredRows {
  let gathered: RecordRow[] = [];
  let firstToken = '';
  let inserting: Promise<void> = Promise.resolve();
  const begin = async (log: string): Promise<void> => {
    await inserting;
    const rows = gathered;
    gathered = [];
    inserting = records.insert(log, rows, firstToken);
    // The next insert, or the flush at the end, gets the failure.
    inserting.catch(() => undefined);
  };
  return {
    async insert(log, rows, token) {
      if (gathered.length === 0) firstToken = token;
      for (const row of rows) gathered.push(row);
      if (gathered.length >= rowsPerInsert) await begin(log);
    },
    async flush() {
      const log = gathered[0]?.log;
      if (log !== undefined) await begin(log);
      await inserting;
    },
    versions: records.versions,
    size: (log) => records.size(log),
    read: (query, limits) => records.read(query, limits),
    clear: () => records.clear(),
    close: () => records.close(),
  };
}

/** Remembers the newest head in memory; the caller writes it down at the end. */
export function memoryGuard(): HeadGuard {
  let head: Awaited<ReturnType<HeadGuard['latest']>>;
  return {
    latest: () => Promise.resolve(head),
    advance: (_origin, next) => {
      head = next;
      return Promise.resolve();
    },
  };
}
