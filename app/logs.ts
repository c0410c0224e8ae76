/** Opens everything behind the event log. Part of the composition root. */
import { randomBytes, randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { openArchive, type OpenArchiveOptions } from './archive.ts';
import { lockPolicy, readDeployment, type DeployedLog, type Deployment } from './deployment.ts';
import { dataPaths, logOf, systemClock } from './paths.ts';
import { openRecords } from './records.ts';
import type { Config } from '../config.ts';
import { openEmbeddedSeenIds } from '../ingest/embedded/seen-ids.ts';
import type { SeenIds } from '../ingest/seen-ids.ts';
import { FRAMEWORKS } from '../reports/frameworks/index.ts';
import { createPackageBuilder } from '../reports/package/evidence-package.ts';
import { openEvidencePackages } from '../reports/package/jobs.ts';
import type { EvidencePackages } from '../reports/package/packages.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { Archive } from '../store/archive/archive.ts';
import { openFileHeadGuard } from '../store/keys/file-head-guard.ts';
import { openFileSigner } from '../store/keys/file-signer.ts';
import { openLedger, type Ledger } from '../store/ledger/ledger.ts';
import type { PublishedLog } from '../store/ledger/published-log.ts';
import type { RecordStore } from '../store/records/record-store.ts';

/** What all logs of a deployment share. */
export interface Engines {
  readonly deployment: Deployment;
  readonly records: RecordStore;
  readonly archive: Archive;
}

/** One log, open for appending, with the ids that it holds. */
export interface OpenLog extends Closeable {
  readonly ledger: Ledger;
  readonly seenIds: SeenIds;
}

export interface RecreateOptions {
  /** Empties the projections first, whatever their schema, so that recovery fills them from the archive. */
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

/** The finding stands in the log of the process in any case. */
const ignore = (): void => undefined;

export interface OpenEnginesOptions extends Pick<RecreateOptions, 'recreate'> {
  readonly onTampering?: OpenArchiveOptions['onTampering'];
}

/** Opens what the logs of an initialised deployment share; the stack closes it. */
export async function openEngines(
  config: Config,
  logger: Logger,
  stack: CloseStack,
  { recreate = false, onTampering = ignore }: OpenEnginesOptions = {},
): Promise<Engines> {
  const paths = dataPaths(config);
  const deployment = await readDeployment(config);
  if (deployment === undefined) {
    throw new PipelineError(
      'START_REFUSED',
      `${paths.keys} holds no deployment; run \`affidavit init\` first`,
    );
  }
  const records = stack.keep(await openRecords(config, recreate));
  const archive = stack.keep(await openArchive(config, logger, { onTampering }));
  return { deployment, records, archive };
}

/** Opens one log for appending; refuses on doubt and then leaves nothing open. */
export async function openLog(
  config: Config,
  { deployment, records, archive }: Engines,
  { log, origin }: DeployedLog,
  { recreate = false, onReplay }: RecreateOptions = {},
): Promise<OpenLog> {
  const paths = dataPaths(config);
  const isOnly = deployment.logs.length === 1;
  const seenIds = await openEmbeddedSeenIds({ dir: isOnly ? paths.seenIds : join(paths.seenIds, log) });
  try {
    if (recreate) await seenIds.clear();
    const ledger = await openLedger({
      ...{ log, archive, records, randomBytes },
      // A file each: it is read and written as a whole, and logs are published independently of one another.
      guard: openFileHeadGuard(
        isOnly ? paths.headGuard : join(dirname(paths.headGuard), `head-guard-${log}.json`),
      ),
      signer: await openFileSigner(paths.signingKey, origin),
      clock: systemClock,
      lockFor: lockPolicy(config),
      ...(onReplay === undefined ? {} : { onReplay }),
    });
    return { ledger, seenIds, close: () => seenIds.close() };
  } catch (error) {
    await seenIds.close();
    throw error;
  }
}

/** Evidence packages of any one of the given logs. */
export async function openPackages(
  config: Config,
  { records, deployment }: Engines,
  published: readonly PublishedLog[],
  logger: Logger,
): Promise<EvidencePackages> {
  const paths = dataPaths(config);
  const builders = new Map<string, ReturnType<typeof createPackageBuilder>>();
  for (const { log, origin } of deployment.logs) {
    const own = published.find((one) => one.log === log);
    if (own === undefined) continue;
    const signer = await openFileSigner(paths.signingKey, origin);
    const logCount = deployment.logs.length;
    builders.set(
      log,
      createPackageBuilder({ store: records, published: own, logCount, signer, clock: systemClock, logger }),
    );
  }
  return openEvidencePackages({
    dir: paths.packages,
    frameworks: FRAMEWORKS,
    build: async (build) => {
      const builder = builders.get(build.request.log ?? logOf(0));
      if (builder === undefined) throw new PipelineError('PARAMETER_INVALID', 'no log has this name');
      await builder(build);
    },
    clock: systemClock,
    newId: randomUUID,
    logger,
  });
}
