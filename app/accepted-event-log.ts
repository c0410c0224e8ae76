/**
 * The event log that the operator accepted: `init` accepts the one that it finds, later ones need a word. In: the
 * deployment file and the log that is there. Out: the same file with its id, or a refusal.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppContext } from './context.ts';
import { amendDeployment, noDeployment, readDeployment } from './deployment-file.ts';
import { openEventLog } from './engines.ts';
import type { Engines } from './logs.ts';
import { dataPaths } from './paths.ts';
import { allSealFrom, judgeEventLog, type SealedFrom } from '../ingest/event-log-identity.ts';
import type { EventLog } from '../ingest/event-log.ts';
import { nextGeneration } from '../ingest/kafka/topic-generation.ts';
import { PipelineError } from '../schemas/errors.ts';
import { readLogHead } from '../store/ledger/archived-log.ts';

/** The file of the embedded event log in its folder, as its engine names it. */
const LOG_FILE = 'data.mdb';

/** Id of the configured event log. Opens and closes it. Undefined where its medium gives none. */
export async function findEventLog(context: AppContext): Promise<string | undefined> {
  const { replaced } = context;
  if (replaced.eventLog !== undefined) return replaced.eventLog.id;
  const eventLog = await openEventLog(context);
  await eventLog.close();
  return eventLog.id;
}

/** Throws EVENT_LOG_REPLACED where the log is not the accepted one. Receivers ask before they take anything. */
export async function requireAccepted(
  { config }: Pick<AppContext, 'config'>,
  { id }: Pick<EventLog, 'id'>,
): Promise<void> {
  const accepted = (await readDeployment(config))?.event_log;
  const verdict = judgeEventLog({ found: id, accepted, sealed: undefined });
  if (verdict.kind === 'refused') throw new PipelineError('EVENT_LOG_REPLACED', verdict.detail);
}

/**
 * Opens the accepted event log for a process that only asks it, and never begins one. Throws LOG_UNAVAILABLE where there
 * is none in the data folder, and EVENT_LOG_REPLACED where another one is there.
 */
export async function openAcceptedEventLog(context: AppContext): Promise<EventLog> {
  if (context.config.kafka.brokers === undefined) await requireLogFile(context);
  const eventLog = await openEventLog(context);
  try {
    await requireAccepted(context, eventLog);
    return eventLog;
  } catch (error) {
    await eventLog.close();
    throw error;
  }
}

/** The engine would make a missing file: an empty log, in which nothing waits. */
async function requireLogFile({ config }: Pick<AppContext, 'config'>): Promise<void> {
  const { eventLog } = dataPaths(config);
  const found = await stat(join(eventLog, LOG_FILE)).catch(() => undefined);
  if (found?.isFile() === true && found.size > 0) return;
  throw new PipelineError('LOG_UNAVAILABLE', `${eventLog} holds no event log`);
}

/**
 * Names the log in a deployment file of an older version, once the ledger agrees with it. Where the keys folder cannot
 * be written, as in a container that mounts it read-only, the file stays and the log says so.
 */
export async function nameEventLog(
  { config, logger }: Pick<AppContext, 'config' | 'logger'>,
  event_log: string | undefined,
): Promise<void> {
  if (event_log === undefined || (await readDeployment(config))?.event_log !== undefined) return;
  try {
    await amendDeployment(config, { event_log });
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    logger.warn({ event_log }, 'the deployment file cannot be written and does not name the event log yet');
  }
}

/**
 * The same for an event log of several partitions, each with its own ledger: the log is named once all ledgers agree.
 * If the agreement of one were enough, the others would take a replaced log for one that the operator accepted. Reads all
 * archives, so it is asked once at a start, and only where the file names no log.
 */
export async function nameSharedEventLog(
  context: Pick<AppContext, 'config' | 'logger'>,
  { deployment, archive }: Pick<Engines, 'deployment' | 'archive'>,
  id: string | undefined,
): Promise<void> {
  if (id === undefined || deployment.event_log !== undefined) return;
  const heads: SealedFrom[] = [];
  for (const { log, origin } of deployment.logs) {
    heads.push(await readLogHead(archive, log, origin));
  }
  if (allSealFrom(id, heads)) await nameEventLog(context, id);
}

/** The log that is there and the one that was accepted before. */
export interface EventLogChoice {
  readonly found: string | undefined;
  readonly accepted: string | undefined;
  /** The one to accept where the brokers give no ids and the topic was created again under its name. */
  readonly next: string | undefined;
}

/**
 * Accepts the event log that is there, where `id` names it. Where the brokers give no ids, `id` may name its next generation
 * too. Without `id` nothing changes. Throws CONFIG_INVALID for any other id, and START_REFUSED without a deployment.
 */
export async function acceptEventLog(context: AppContext, id: string | undefined): Promise<EventLogChoice> {
  const { config } = context;
  const deployment = await readDeployment(config);
  if (deployment === undefined) throw noDeployment(config);
  const found = await findEventLog(context);
  if (id !== undefined) {
    if (found === undefined || (id !== found && id !== nextGeneration(found)))
      throw new PipelineError('CONFIG_INVALID', `the event log is ${found ?? 'without an id'}, not ${id}`);
    await amendDeployment(config, { event_log: id });
  }
  const named = id ?? found;
  const next = named === undefined ? undefined : nextGeneration(named);
  return { found: named, accepted: deployment.event_log, next };
}
