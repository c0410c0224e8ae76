/** Writes the head log beside sealing. Sealing never waits for it: a failure is shown, logged and tried again. */
import { dirname, join } from 'node:path';
import type { AppContext } from './context.ts';
import { lockPolicy } from './deployment.ts';
import type { DataFolder } from './data-folder.ts';
import type { CloseStack, Engines } from './logs.ts';
import { toFailure } from './partitions.ts';
import { dataPaths, headLogOrigin } from './paths.ts';
import type { Sequencing } from './sequence-role.ts';
import { HEAD_LOG, type HeadEntry, type NamedHead } from '../schemas/head-entry.ts';
import { openFileHeadGuard } from '../store/keys/file-head-guard.ts';
import { openFileSigner } from '../store/keys/file-signer.ts';
import { openArchivedLog, readLogKeys } from '../store/ledger/archived-log.ts';
import { openHeadLog, type HeadLog, type HeadLogOptions } from '../store/ledger/head-log.ts';
import { toNamedHead } from '../store/ledger/head-log-entries.ts';
import type { PublishedLog } from '../store/ledger/published-log.ts';
import { createTilesProjection } from '../store/projections/tiles.ts';

/** A round that waits begins up to so much later, so that processes which were started together do not race each time. */
const JITTER = 0.2;

/** Where the head log stands, as this process sees it. */
export interface HeadLogState {
  /** Instant of the newest entry, from any process; undefined before one was read. */
  readonly taken_at: string | undefined;
  /** Error code of the last round; undefined where it went well. */
  readonly failure: string | undefined;
}

export interface HeadLogParts {
  readonly engines: Engines;
  readonly sequencing: Sequencing;
  readonly folder: DataFolder;
}

/** Starts the rounds; the stack ends them. Every process that seals runs them, and creating a bundle decides who writes. */
export async function startHeadLog(
  context: AppContext,
  { engines, sequencing, folder }: HeadLogParts,
  stack: CloseStack,
): Promise<() => HeadLogState> {
  const { config, system } = context;
  const logger = context.logger.child({ role: 'head-log' });
  const headLog = await open(context, engines);
  const others = await archivedLogs(context, engines);
  const stop = new AbortController();
  let state: HeadLogState = { taken_at: undefined, failure: undefined };

  const round = async () => {
    try {
      // A log that is written below another folder would be a second history.
      await folder.requireUnchanged();
      const newest: HeadEntry | undefined = await headLog.update(await newestHeads(sequencing, others));
      state = { taken_at: newest?.taken_at, failure: undefined };
    } catch (error) {
      const failure = toFailure(error);
      if (state.failure !== failure.code)
        logger.warn(failure, 'the head log got no entry; sealing goes on, and this is tried again');
      state = { ...state, failure: failure.code };
    }
  };
  const run = async () => {
    while (!stop.signal.aborted) {
      await round();
      await system.sleep(config.store.head_log_every_ms * (1 + JITTER * system.random()), stop.signal);
    }
  };
  const ended = run();
  stack.keep({
    async close() {
      stop.abort();
      await ended;
    },
  });
  return () => state;
}

async function open(context: AppContext, engines: Engines): Promise<HeadLog> {
  const everyMs = context.config.store.head_log_every_ms;
  return openHeadLog({ ...(await headLogParts(context, engines)), everyMs });
}

/** The head log with its engines, under the key of this deployment. */
export async function headLogParts(
  { config, system }: AppContext,
  { deployment, archive }: Engines,
): Promise<Omit<HeadLogOptions, 'everyMs'>> {
  const paths = dataPaths(config);
  return {
    archive,
    signer: await openFileSigner(paths.signingKey, headLogOrigin(deployment.logs[0]?.origin ?? '')),
    guard: await openFileHeadGuard(join(dirname(paths.headGuard), `head-guard-${HEAD_LOG}.json`)),
    clock: system.clock,
    lockFor: lockPolicy(config),
    projections: [createTilesProjection({ log: HEAD_LOG, archive })],
  };
}

/** All logs of the deployment as their archive shows them: another process may seal them. */
export function archivedLogs(
  { system }: AppContext,
  { deployment, archive }: Engines,
): Promise<readonly PublishedLog[]> {
  return Promise.all(
    deployment.logs.map(async ({ log, origin }) => {
      const keys = await readLogKeys(archive, log, origin);
      return openArchivedLog({ log, ...keys, archive, clock: system.clock });
    }),
  );
}

/** A log that this process seals is asked directly, which reads nothing. */
async function newestHeads(sequencing: Sequencing, others: readonly PublishedLog[]): Promise<NamedHead[]> {
  const own = new Map(sequencing.ledgers().map((ledger): [string, PublishedLog] => [ledger.log, ledger]));
  return Promise.all(
    others.map(async (other) => {
      const published = own.get(other.log) ?? other;
      return toNamedHead(published, await published.checkpoint());
    }),
  );
}
