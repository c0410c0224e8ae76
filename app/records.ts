/** Opens the record store: in this process, or on a server. Part of the composition root. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { dataPaths, systemClock } from './paths.ts';
import type { Config } from '../config.ts';
import type { StoreConnection } from '../store/records/clickhouse/client.ts';
import { openRecordStore } from '../store/records/clickhouse/record-store.ts';
import type { RecordStore } from '../store/records/record-store.ts';

/** Who only asks needs no right to change the schema, and does not try. */
export async function openRecords(config: Config, recreate = false): Promise<RecordStore> {
  return openRecordStore({
    connection: await recordConnection(config),
    migrationsDir: join(import.meta.dirname, '..', 'store', 'records', 'migrations'),
    mayMigrate: config.role === undefined || config.role === 'sequence',
    clock: systemClock,
    recreate,
    limits: { maxExecutionMs: config.store.max_query_ms, maxRowsToRead: config.store.max_query_rows },
  });
}

/** A server where one is configured; else the engine in this process, in a folder that is there from now on. */
async function recordConnection(config: Config): Promise<StoreConnection> {
  const { url, ...access } = config.clickhouse;
  if (url !== undefined) return { kind: 'server', url, ...access };
  const { records: path } = dataPaths(config);
  await mkdir(path, { recursive: true, mode: 0o700 });
  return { kind: 'chdb', path };
}
