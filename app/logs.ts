/** Opens the engines of an initialised deployment, its logs for appending, and its evidence packages. */
import { dirname, join } from 'node:path';
import type { AppContext } from './context.ts';
import { lockPolicy } from './deployment.ts';
import { noDeployment, readDeployment, type DeployedLog, type Deployment } from './deployment-file.ts';
import { openArchive, openRecords, type OpenArchiveOptions } from './engines.ts';
import { closeToOthers } from './folder-modes.ts';
import { requireNoKeyChange, type KeyWork } from './key-change.ts';
import { createKeyReads, type KeyReads } from './key-reads.ts';
import { openConfiguredKeyStore } from './key-store.ts';
import { dataPaths, logOf } from './paths.ts';
import type { EvidencePackages } from '../reports/package/packages.ts';
import type { ReadBacklog } from '../schemas/backlog.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { Archive } from '../store/archive/archive.ts';
import { currentTerm, packageKeyName } from '../store/chain/key-history.ts';
import type { KeyStore } from '../store/data-keys/key-store.ts';
import { openFileHeadGuard } from '../store/keys/file-head-guard.ts';
import { openFileSigner } from '../store/keys/file-signer.ts';
import type { HeadGuard } from '../store/keys/signer.ts';
import { readKeyChanges, readLogKeys } from '../store/ledger/archived-log.ts';
import { requireGenesis } from '../store/ledger/genesis.ts';
import type { Ledger } from '../store/ledger/ledger.ts';
import { checkpointKeys, lastNumber } from '../store/ledger/numbered-keys.ts';
import type { LedgerOptions } from '../store/ledger/options.ts';
import type { PublishedLog } from '../store/ledger/published-log.ts';
import type { SeenIdsProjection } from '../store/projections/seen-ids.ts';
import type { BeforeDrop, RecordStore } from '../store/records/record-store.ts';

const DAY_MS = 86_400_000;
const UNGUARDED =
  'the head guard does not know this log, so an older copy of the archive would not show; restore keys/ from the newest backup, unless another machine signed this log before';

/** Shared by all logs of a deployment. */
export interface Engines {
  readonly deployment: Deployment;
  readonly records: RecordStore;
  readonly archive: Archive;
}

/** The engines of a process that seals. One that only answers questions has no right to these keys. */
export interface SealingEngines extends Engines {
  /** Keys of the frames in the archive. */
  readonly dataKeys: KeyStore;
  /** Counts the reads of `dataKeys`. */
  readonly keyReads: KeyReads;
}

/** One log, open for appending, with the ids that it holds. */
export interface OpenLog extends Closeable {
  readonly ledger: Ledger;
  readonly seenIds: Pick<SeenIdsProjection, 'has' | 'filled'>;
}

export interface OpenLogOptions extends Pick<LedgerOptions, 'onReplay' | 'onClockBehind'> {
  /** Derives everything again that follows the log, also where it is there. @default false */
  readonly isRebuild?: boolean;
}

interface Closeable {
  close(): Promise<void>;
}

/** Resources in the order they were opened; `close` goes backwards and is idempotent. */
export class CloseStack implements Closeable {
  readonly #opened: Closeable[] = [];

  keep<T extends Closeable>(resource: T): T {
    this.#opened.push(resource);
    return resource;
  }

  async close(): Promise<void> {
    for (const resource of this.#opened.splice(0).reverse()) await resource.close();
  }
}

export interface OpenEnginesOptions extends OpenArchiveOptions {
  /** Empties the record store first, whatever its schema, so that recovery fills it from the archive. */
  readonly recreate?: BeforeDrop;
  /** The work of this process that changes the keys of the logs. @default none: the keys must not be between two */
  readonly keyWork?: KeyWork;
}

/** Opens the engines of an initialised deployment; the stack closes them. Throws START_REFUSED without a deployment. */
export async function openEngines(
  context: AppContext,
  stack: CloseStack,
  { recreate, onTampering }: OpenEnginesOptions = {},
): Promise<Engines> {
  const { config, replaced } = context;
  const deployment = await readDeployment(config);
  if (deployment === undefined) throw noDeployment(config);
  await closeToOthers(context);
  const records = replaced.records ?? stack.keep(await openRecords(context, recreate));
  const archive = replaced.archive ?? stack.keep(await openArchive(context, { onTampering }));
  return { deployment, records, archive };
}

/** As `openEngines`, and the key store. */
export async function openSealingEngines(
  context: AppContext,
  stack: CloseStack,
  options: OpenEnginesOptions = {},
): Promise<SealingEngines> {
  const { readGenesis } = await import('../store/ledger/genesis.ts');
  requireNoKeyChange(context.config, options.keyWork);
  const engines = await openEngines(context, stack, options);
  // An archive in another format has no keys here: that it cannot be read says more than that they are missing.
  const [first] = engines.deployment.logs;
  if (first !== undefined) await readGenesis(engines.archive, first.log);
  const keyReads = createKeyReads();
  const dataKeys =
    context.replaced.dataKeys ??
    stack.keep(await openConfiguredKeyStore(context, { onKeyRead: (...read) => keyReads.count(...read) }));
  return { ...engines, dataKeys, keyReads };
}

/** One log with its engines, not opened yet. `close` lets go of what it holds in memory. */
export interface PreparedLog extends Closeable {
  readonly options: LedgerOptions;
  readonly seenIds: SeenIdsProjection;
  /** Path of the head guard. */
  readonly headGuard: string;
}

type PrepareContext = Pick<AppContext, 'config' | 'system' | 'logger'>;

/** Reads nothing of the log yet, and so refuses nothing. */
export async function prepareLog(
  { config, system, logger }: PrepareContext,
  { deployment, records, archive, dataKeys }: SealingEngines,
  { log, origin }: DeployedLog,
  { onReplay, onClockBehind, isRebuild = false }: OpenLogOptions = {},
): Promise<PreparedLog> {
  const [{ createRowsProjection }, { openSeenIds }, tiles, { settleVersion }] = await Promise.all([
    import('../store/projections/rows.ts'),
    import('../store/projections/seen-ids.ts'),
    import('../store/projections/tiles.ts'),
    import('../store/projections/version.ts'),
  ]);
  const paths = dataPaths(config);
  const isOnly = deployment.logs.length === 1;
  const rows = createRowsProjection(records);
  await settleVersion(rows, records.versions);
  const hashTiles = tiles.createTilesProjection({ log, archive });
  if (isRebuild) await hashTiles.clear();
  const signer = await openFileSigner(paths.signingKey, origin);
  // One file for each log: it is read and written as a whole, and logs are published independently of each other.
  const headGuard = isOnly ? paths.headGuard : join(dirname(paths.headGuard), `head-guard-${log}.json`);
  const guard = await openFileHeadGuard(headGuard);
  const seenIds = await openSeenIds({ log, archive, records, logger, sleep: system.sleep });
  const options: LedgerOptions = {
    log,
    archive,
    dataKeys,
    projections: [seenIds, rows, hashTiles],
    randomBytes: system.randomBytes,
    guard,
    signer,
    clock: system.clock,
    lockFor: lockPolicy(config),
    maxClockAheadMs: config.store.max_clock_ahead_days * DAY_MS,
    ...(onReplay === undefined ? {} : { onReplay }),
    ...(onClockBehind === undefined ? {} : { onClockBehind }),
  };
  return { options, seenIds, headGuard, close: () => seenIds.close() };
}

/** Opens one log for appending; refuses on doubt and then leaves nothing open. */
export async function openLog(
  context: PrepareContext,
  engines: SealingEngines,
  named: DeployedLog,
  opening: OpenLogOptions = {},
): Promise<OpenLog> {
  const { openLedger } = await import('../store/ledger/ledger.ts');
  const prepared = await prepareLog(context, engines, named, opening);
  const { options, seenIds, headGuard } = prepared;
  try {
    const unguarded = await unguardedSize(options, named);
    const ledger = await openLedger(options);
    // The guard remembers the head of this opening, so a later opening by this process says nothing.
    if (unguarded !== undefined) {
      context.logger.warn({ log: named.log, tree_size: unguarded, head_guard: headGuard }, UNGUARDED);
    }
    return { ledger, seenIds, close: () => prepared.close() };
  } catch (error) {
    await prepared.close();
    throw error;
  }
}

/**
 * Size of the newest published checkpoint of a log that the guard does not know; undefined where it knows the log, or where
 * nothing was published. The start goes on: on Kafka another machine may take over a log that it never signed.
 */
async function unguardedSize(
  { guard, archive }: Pick<Engines, 'archive'> & { readonly guard: HeadGuard },
  { log, origin }: DeployedLog,
): Promise<number | undefined> {
  if ((await guard.latest(origin)) !== undefined) return undefined;
  return lastNumber(archive, checkpointKeys(log));
}

interface PackagedLogs {
  readonly published: readonly PublishedLog[];
  readonly readBacklog: ReadBacklog;
}

/** Evidence packages of the given logs. Callers order packages of these logs alone. */
export async function openPackages(
  { config, system, logger }: AppContext,
  { records, archive, deployment }: Engines,
  { published, readBacklog }: PackagedLogs,
): Promise<EvidencePackages> {
  const [{ FRAMEWORKS }, { createPackageBuilder }, { openEvidencePackages }] = await Promise.all([
    import('../reports/frameworks/index.ts'),
    import('../reports/package/evidence-package.ts'),
    import('../reports/package/jobs.ts'),
  ]);
  const { clock } = system;
  const paths = dataPaths(config);
  const logCount = deployment.logs.length;
  const builders = new Map<string, ReturnType<typeof createPackageBuilder>>();
  for (const { log, origin } of deployment.logs) {
    const one = published.find((candidate) => candidate.log === log);
    if (one === undefined) continue;
    const genesis = await requireGenesis(archive, log);
    // Opened for each package: the key may change while this process runs.
    const openSigner = () => openFileSigner(paths.packageKey, packageKeyName(origin));
    const { keys } = await readLogKeys(archive, log, origin);
    if ((await openSigner()).vkey !== currentTerm(keys).packageKey)
      throw new PipelineError(
        'START_REFUSED',
        `${paths.packageKey} is not the package key that ${log} names as the one in force; take keys/ from the machine that changed the key of the logs, or restore it from the backup`,
      );
    builders.set(
      log,
      createPackageBuilder({
        store: records,
        published: one,
        genesis,
        readKeyChanges: () => readKeyChanges(archive, log),
        logCount,
        readBacklog,
        openSigner,
        clock,
        logger,
      }),
    );
  }
  return openEvidencePackages({
    dir: paths.packages,
    frameworks: FRAMEWORKS,
    build: async (build) => {
      const log = build.request.log ?? logOf(0);
      const builder = builders.get(log);
      if (builder === undefined) throw new PipelineError('INTERNAL', `the log ${log} is not open here`);
      await builder(build);
    },
    clock,
    newId: system.newId,
    logger,
  });
}
