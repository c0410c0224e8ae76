/** Starts the ClickHouse engine behind HTTP in a process of its own; see `clickhouse-front-process.ts`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRecordStore, type RecordStoreOptions } from '../../store/records/clickhouse/record-store.ts';
import { MIGRATIONS_DIR } from './chdb-store.ts';

export interface ClickHouseFront {
  readonly url: string;
  readonly port: number;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export async function startClickHouseFront(
  dir: string,
  port = 0,
  password?: string,
): Promise<ClickHouseFront> {
  const entry = join(import.meta.dirname, 'clickhouse-front-process.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', entry, join(dir, 'engine'), String(port)], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...(password === undefined ? {} : { FRONT_PASSWORD: password }) },
  });
  const exited = once(child, 'exit');
  const listening = await Promise.race([once(child.stdout, 'data'), exited.then(() => undefined)]);
  const found = /listening ([0-9]+)/.exec(String(listening?.[0]))?.[1];
  if (found === undefined) throw new Error('the front ended before it listened');
  return {
    url: `http://127.0.0.1:${found}`,
    port: Number(found),
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
    },
  };
}

/** A record store that reaches its engine by URL, in place of `chdbPlace`. */
export async function clickHouseServerPlace() {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-clickhouse-'));
  const front = await startClickHouseFront(dir);
  return {
    dir,
    front,
    open: (overrides: Partial<RecordStoreOptions> = {}) =>
      openRecordStore({
        connection: { kind: 'server', url: front.url },
        migrationsDir: MIGRATIONS_DIR,
        clock: () => Date.UTC(2026, 2, 3),
        limits: { maxExecutionMs: 10_000, maxRowsToRead: 50_000_000 },
        ...overrides,
      }),
    async remove() {
      await front.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
