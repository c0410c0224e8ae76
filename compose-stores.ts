/** Opens everything behind the sequencer. Part of the composition root. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { dataPaths, LOG, lockPolicy, readDeployment, systemClock } from './compose-init.ts';
import { packageRoot, type Config } from './config.ts';
import { openEmbeddedSeenIds } from './ingest/embedded/seen-ids.ts';
import type { SeenIds } from './ingest/seen-ids.ts';
import { createPackageBuilder } from './reports/evidence-package.ts';
import { openEvidencePackages } from './reports/package-jobs.ts';
import type { EvidencePackages } from './reports/packages.ts';
import { PipelineError } from './schemas/errors.ts';
import type { StoreConnection } from './store/clickhouse/client.ts';
import { openRecordStore } from './store/clickhouse/record-store.ts';
import { openFileHeadGuard } from './store/keys/file-head-guard.ts';
import { openFileSigner } from './store/keys/file-signer.ts';
import type { LedgerOptions } from './store/ledger-options.ts';
import { openLedger, type Ledger } from './store/ledger.ts';
import { openLocalArchive } from './store/local/archive.ts';
import type { RecordStore } from './store/record-store.ts';

/** What `rebuild` and `report` need, and the larger part of `serve`. */
export interface Stores {
  readonly records: RecordStore;
  readonly ledger: Ledger;
  readonly seenIds: SeenIds;
  readonly packages: EvidencePackages;
  close(): Promise<void>;
}

export interface OpenStoresOptions {
  /** Empties both projections first, whatever their schema, so that recovery fills them from the archive. */
  readonly recreate?: boolean;
  readonly onReplay?: (leavesDone: number, leavesTotal: number) => void;
}

interface Closeable {
  close(): Promise<void>;
}

/** Resources in the order they were opened; `close` goes backwards and is idempotent. */
export interface CloseStack extends Closeable {
  keep<T extends Closeable>(resource: T): T;
}

export function createCloseStack(): CloseStack {
  const opened: Closeable[] = [];
  return {
    keep(resource) {
      opened.push(resource);
      return resource;
    },
    async close() {
      for (const resource of opened.splice(0).reverse()) await resource.close();
    },
  };
}

/** Opens the stores of an initialised data folder; refuses on doubt and then leaves nothing open. */
export async function openStores(
  config: Config,
  logger: Logger,
  extra: OpenStoresOptions = {},
): Promise<Stores> {
  const stack = createCloseStack();
  try {
    return { ...(await open(config, logger, extra, stack)), close: () => stack.close() };
  } catch (error) {
    await stack.close();
    throw error;
  }
}

async function open(
  config: Config,
  logger: Logger,
  extra: OpenStoresOptions,
  stack: CloseStack,
): Promise<Omit<Stores, 'close'>> {
  const paths = dataPaths(config.data);
  const deployment = await readDeployment(config.data);
  if (deployment === undefined) {
    throw new PipelineError(
      'START_REFUSED',
      `${config.data} holds no deployment; run \`affidavit init\` first`,
    );
  }
  const records = stack.keep(await openRecords(config, paths.records, extra.recreate === true));
  const archive = stack.keep(await openLocalArchive({ dir: paths.archive, clock: systemClock }));
  const seenIds = stack.keep(await openEmbeddedSeenIds({ dir: paths.seenIds }));
  if (extra.recreate === true) await seenIds.clear();
  const signer = await openFileSigner(paths.signingKey, deployment.origin);
  const options: LedgerOptions = {
    log: LOG,
    archive,
    records,
    signer,
    guard: openFileHeadGuard(paths.headGuard),
    clock: systemClock,
    randomBytes,
    lockFor: lockPolicy(config),
    ...(extra.onReplay === undefined ? {} : { onReplay: extra.onReplay }),
  };
  const ledger = await openLedger(options);
  const build = createPackageBuilder({
    store: records,
    published: ledger,
    signer,
    clock: systemClock,
    logger,
  });
  const packages = stack.keep(
    await openEvidencePackages({ dir: paths.packages, build, clock: systemClock, newId: randomUUID, logger }),
  );
  return { records, ledger, seenIds, packages };
}

export async function openRecords(config: Config, path: string, recreate = false): Promise<RecordStore> {
  return openRecordStore({
    connection: await recordConnection(config, path),
    migrationsDir: join(packageRoot(), 'store', 'migrations'),
    clock: systemClock,
    recreate,
    limits: { maxExecutionMs: config.store.max_query_ms, maxRowsToRead: config.store.max_query_rows },
  });
}

/** A server where one is configured; else the engine in this process, in a folder that is there from now on. */
async function recordConnection({ clickhouse }: Config, path: string): Promise<StoreConnection> {
  const { url, ...access } = clickhouse;
  if (url !== undefined) return { kind: 'server', url, ...access };
  await mkdir(path, { recursive: true, mode: 0o700 });
  return { kind: 'chdb', path };
}
