/**
 * The composition root: Config → engines → roles → running process, top to bottom as the flow goes. The files of this
 * folder are the only importers of adapters.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startApi } from './api-role.ts';
import { createContext, type AppContext, type Overrides } from './context.ts';
import { probeAtStart } from './checks.ts';
import { watchDataFolder, type DataFolder } from './data-folder.ts';
import { initialise, type GeneratedTokens } from './deployment.ts';
import { commitToPseudonymKey, noDeployment, readDeployment } from './deployment-file.ts';
import { readGatewayMappings } from './engines.ts';
import { commitToEventLogKey } from './event-log-key.ts';
import { closeToOthers } from './folder-modes.ts';
import { receiveInThisThread, spawnIngest, type IngestThread } from './ingest-thread.ts';
import { startHeadLog } from './head-log-role.ts';
import { CloseStack, openEngines, openSealingEngines } from './logs.ts';
import { createOwnEvents } from './own-events.ts';
import { dataPaths } from './paths.ts';
import { startSequencing } from './sequence-role.ts';
import type { Config } from '../config.ts';
import { toTamperingEvent } from '../schemas/archive-tampering.ts';
import { PipelineError } from '../schemas/errors.ts';
import { toProbeEvent } from '../schemas/probe.ts';
import { readTokens, type TokenEntry } from '../store/keys/tokens.ts';
import { readWebhookSecrets } from '../store/keys/webhook-secrets.ts';

/** A process that closes for longer is given up. */
const CLOSE_DEADLINE_MS = 20_000;

export interface Running {
  /** Undefined in a process without receivers. */
  readonly ingestPort: number | undefined;
  readonly grpcPort: number | undefined;
  readonly apiPort: number;
  /** Tokens that the first start generated, to be shown once. */
  readonly created: GeneratedTokens | undefined;
  /** Rejects when a role fails; resolves after `close`. */
  readonly stopped: Promise<void>;
  /** Stops accepting, finishes the batch in hand, closes everything. Idempotent. */
  close(): Promise<void>;
}

/** How to start, and parts to use instead of the configured ones; those are for tests. */
export interface StartOptions extends Overrides {
  /** Begin a history where there is none and nothing names one; see `beginIfAsked`. @default false */
  readonly init?: boolean;
  /** Called as soon as tokens were generated: a start that fails later must not take them with it. */
  readonly onCreated?: (tokens: GeneratedTokens) => void;
}

/**
 * Starts the role of this process, or all of them in a process without a role. Throws START_REFUSED on doubt, and where
 * there is no deployment.
 */
export async function compose(
  config: Config,
  { init = false, onCreated, ...overrides }: StartOptions = {},
): Promise<Running> {
  const stack = new CloseStack();
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= Promise.race([stack.close(), deadline()]));
  try {
    const context = createContext(config, overrides);
    const created = await beginIfAsked(context, init);
    if (created !== undefined) onCreated?.(created);
    return { ...(await start(context, stack)), created, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(context: AppContext, stack: CloseStack): Promise<Omit<Running, 'close' | 'created'>> {
  const { role } = context.config;
  if (role === undefined || role === 'sequence') await commitToPseudonymKey(context);
  // Where several processes append, the operator says when all of them can have the key: `affidavit init`.
  if (context.config.kafka.brokers === undefined) await commitToEventLogKey(context);
  const tokens = await requireTokens(context.config);
  const folder = stack.keep(await watchDataFolder(context));
  const { engines, sequencing, headLog } =
    role === 'ingest' ? {} : await startEngines(context, folder, stack);
  const isReceiving = role === undefined || role === 'ingest';
  const ingest = isReceiving ? stack.keep(await startReceiving(context, tokens)) : undefined;
  const apiPort = await startApi(context, { tokens, folder, engines, sequencing, headLog, ingest }, stack);
  const failures = [sequencing?.ended, ingest?.failed].filter((one) => one !== undefined);
  const stopped = failures.length === 0 ? new Promise<never>(() => undefined) : Promise.race(failures);
  return { ingestPort: ingest?.port, grpcPort: ingest?.grpcPort, apiPort, stopped };
}

/**
 * A missing deployment is as often a data folder that is not mounted as a first start. So a history begins only when
 * that is asked for, never in one of several processes, and never where the configuration names logs that should be
 * there already.
 */
async function beginIfAsked(context: AppContext, init: boolean): Promise<GeneratedTokens | undefined> {
  const { config } = context;
  const { role, origin } = config;
  if (role !== undefined || (await readDeployment(config)) !== undefined) return undefined;
  if (!init) throw noDeployment(config);
  if (origin === undefined) return (await initialise(context)).created;
  throw noDeployment(config, `the configuration names its logs ${origin}, so they are not begun unasked`);
}

async function startReceiving(context: AppContext, tokens: readonly TokenEntry[]): Promise<IngestThread> {
  const { config } = context;
  await closeToOthers(context);
  const settings = {
    config,
    limits: context.limits,
    tokens,
    webhookSecrets: await readWebhookSecrets(dataPaths(config).webhookSecrets),
    gatewayMappings: await readGatewayMappings(config),
  };
  return context.hasReplacements ? receiveInThisThread(settings, context) : spawnIngest(settings);
}

async function requireTokens(config: Config): Promise<readonly TokenEntry[]> {
  const { tokens: path } = dataPaths(config);
  const tokens = await readTokens(path);
  if (tokens !== undefined) return tokens;
  throw new PipelineError('START_REFUSED', `${path} is missing; run \`affidavit init\` first`);
}

/** Only the sequencing role turns archive findings into records; the other roles log them. */
async function startEngines(context: AppContext, folder: DataFolder, stack: CloseStack) {
  const { role } = context.config;
  if (role !== undefined && role !== 'sequence') {
    return { engines: await openEngines(context, stack), sequencing: undefined, headLog: undefined };
  }
  const ownEvents = createOwnEvents(context);
  const report = await probeAtStart(context);
  if (report !== undefined) ownEvents.report(toProbeEvent(report));
  const engines = await openSealingEngines(context, stack, {
    onTampering: (key, finding) => {
      ownEvents.report(toTamperingEvent(key, finding));
    },
  });
  const sequencing = await startSequencing(context, { engines, ownEvents, folder }, stack);
  const headLog = await startHeadLog(context, { engines, sequencing, folder }, stack);
  return { engines, sequencing, headLog };
}

async function deadline(): Promise<never> {
  await delay(CLOSE_DEADLINE_MS, undefined, { ref: false });
  throw new PipelineError(
    'INTERNAL',
    `did not close within ${String(CLOSE_DEADLINE_MS)} ms; nothing acknowledged is lost`,
  );
}
