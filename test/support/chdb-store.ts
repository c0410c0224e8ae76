import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRecordStore, type RecordStoreOptions } from '../../store/records/clickhouse/record-store.ts';

export const MIGRATIONS_DIR = join(import.meta.dirname, '../../store/records/migrations');

/** A temporary data folder for the engine in process; one per test file, because a process has one engine. */
export async function chdbPlace() {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-chdb-'));
  return {
    dir,
    open: (overrides: Partial<RecordStoreOptions> = {}) =>
      openRecordStore({
        connection: { kind: 'chdb', path: join(dir, 'engine') },
        migrationsDir: MIGRATIONS_DIR,
        clock: () => Date.UTC(2026, 2, 3),
        limits: { maxExecutionMs: 10_000, maxRowsToRead: 50_000_000 },
        ...overrides,
      }),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}
