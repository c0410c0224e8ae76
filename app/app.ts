/**
 * The composition root: Config → engines → roles → running process, top to bottom as the flow goes. The files of this
 * folder are the only importers of adapters.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startApi } from './api-role.ts';
import { createContext, type AppContext, type Overrides } from './context.ts';
import { probeAtStart } from './checks.ts';
import { initialise, type GeneratedTokens } from './deployment.ts';
import { commitToPseudonymKey } from './deployment-file.ts';
import { readGatewayMappings } from './engines.ts';
import { receiveInThisThread, spawnIngest, type IngestThread } from './ingest-thread.ts';
import { CloseStack, openEngines } from './logs.ts';
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

/**
 * Starts the role of this process. A process without a role runs all of them, and its first start initialises the
 * deployment. Throws START_REFUSED on doubt.
 *
 * @param overrides parts to use instead of the configured ones; for tests
 */
export async function compose(config: Config, overrides?: Overrides): Promise<Running> {
  const stack = new CloseStack();
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= Promise.race([stack.close(), deadline()]));
  try {
    return { ...(await start(createContext(config, overrides), stack)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(context: AppContext, stack: CloseStack): Promise<Omit<Running, 'close'>> {
  const { role } = context.config;
  // One of several processes that does not find the common deployment must not begin another.
  const { created } = role === undefined ? await initialise(context) : { created: undefined };
  if (role === 'sequence') await commitToPseudonymKey(context);
  const tokens = await requireTokens(context.config);
  const { engines, sequencing } = role === 'ingest' ? {} : await startEngines(context, stack);
  const isReceiving = role === undefined || role === 'ingest';
  const ingest = isReceiving ? stack.keep(await startReceiving(context, tokens)) : undefined;
  const apiPort = await startApi(context, { tokens, engines, sequencing, ingest }, stack);
  const failures = [sequencing?.ended, ingest?.failed].filter((one) => one !== undefined);
  const stopped = failures.length === 0 ? new Promise<never>(() => undefined) : Promise.race(failures);
  return { ingestPort: ingest?.port, grpcPort: ingest?.grpcPort, apiPort, created, stopped };
}

async function startReceiving(context: AppContext, tokens: readonly TokenEntry[]): Promise<IngestThread> {
  const { config } = context;
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
async function startEngines(context: AppContext, stack: CloseStack) {
  const { role } = context.config;
  if (role !== undefined && role !== 'sequence') {
    return { engines: await openEngines(context, stack), sequencing: undefined };
  }
  const ownEvents = createOwnEvents(context);
  const report = await probeAtStart(context);
  if (report !== undefined) ownEvents.report(toProbeEvent(report));
  const engines = await openEngines(context, stack, {
    onTampering: (key, finding) => {
      ownEvents.report(toTamperingEvent(key, finding));
    },
  });
  return { engines, sequencing: await startSequencing(context, { engines, ownEvents }, stack) };
}

async function deadline(): Promise<never> {
  await delay(CLOSE_DEADLINE_MS, undefined, { ref: false });
  throw new PipelineError(
    'INTERNAL',
    `did not close within ${String(CLOSE_DEADLINE_MS)} ms; nothing acknowledged is lost`,
  );
}
