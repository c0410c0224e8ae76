/**
 * The composition root: Config → adapters → roles, top to bottom as the flow goes. Together with the other compose
 * files the only importer of adapters, and the only place that binds clock, ids and randomness.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { startApi } from './api-role.ts';
import { readGatewayMappings } from './gateway-mappings.ts';
import { spawnIngest } from './ingest-thread.ts';
import { initialise, type GeneratedTokens } from './deployment.ts';
import { createOwnEvents, type OwnEvents } from './own-events.ts';
import { createLogger } from './logger.ts';
import { dataPaths } from './paths.ts';
import { probeAtStart } from './probe.ts';
import { startSequencing } from './sequence-role.ts';
import { createCloseStack, openEngines, type CloseStack } from './logs.ts';
import type { Config } from '../config.ts';
import { toTamperingEvent } from '../schemas/archive-tampering.ts';
import { PipelineError } from '../schemas/errors.ts';
import { toProbeEvent } from '../schemas/probe.ts';
import { readTokens, type TokenEntry } from '../store/keys/tokens.ts';
import { readWebhookSecrets } from '../store/keys/webhook-secrets.ts';

const CLOSE_DEADLINE_MS = 20_000;

export interface Running {
  /** Undefined where the process takes nothing in. */
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
 * Starts the role of this process, or without one all of them; then the first start initialises the data folder. Throws
 * START_REFUSED on doubt.
 */
export async function compose(config: Config): Promise<Running> {
  const stack = createCloseStack();
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= Promise.race([stack.close(), deadline()]));
  try {
    return { ...(await start(config, stack)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(config: Config, stack: CloseStack): Promise<Omit<Running, 'close'>> {
  const { role } = config;
  if (role === 'forward') {
    throw new PipelineError(
      'CONFIG_INVALID',
      'role forward has nothing to do: there is no destination to configure',
    );
  }
  const logger = createLogger(config);
  // One of several processes must not begin a deployment of its own when it does not find the common one.
  const { created } = role === undefined ? await initialise(config, logger) : { created: undefined };
  const tokens = await requireTokens(config);
  const { engines, sequencing } = role === 'ingest' ? {} : await startEngines(config, logger, stack);
  const isReceiving = role === undefined || role === 'ingest';
  const ingest = isReceiving ? stack.keep(await startReceiving(config, tokens)) : undefined;
  const apiPort = await startApi(config, { tokens, logger, engines, sequencing, ingest }, stack);
  const failures = [sequencing?.ended, ingest?.failed].filter((one) => one !== undefined);
  const stopped = failures.length === 0 ? new Promise<never>(() => undefined) : Promise.race(failures);
  const { port: ingestPort, grpcPort } = ingest ?? {};
  return { ingestPort, grpcPort, apiPort, created, stopped };
}

async function startReceiving(config: Config, tokens: readonly TokenEntry[]) {
  const { webhookSecrets: path } = dataPaths(config);
  const webhookSecrets = await readWebhookSecrets(path, config.ingest.webhook_secrets);
  const gatewayMappings = await readGatewayMappings(config);
  return spawnIngest({ config, tokens, webhookSecrets, gatewayMappings });
}

async function requireTokens(config: Config): Promise<readonly TokenEntry[]> {
  const { tokens: path } = dataPaths(config);
  const tokens = await readTokens(path);
  if (tokens !== undefined) return tokens;
  throw new PipelineError('START_REFUSED', `${path} is missing; run \`affidavit init\` first`);
}

/** Whoever seals tells of its archive in records of its own; another process has only the lines of its log for it. */
async function startEngines(config: Config, logger: Logger, stack: CloseStack) {
  const ownEvents = createOwnEvents(logger);
  if (config.role !== undefined && config.role !== 'sequence') {
    return { engines: await openEngines(config, logger, stack), sequencing: undefined };
  }
  await probeArchive(config, logger, ownEvents);
  const engines = await openEngines(config, logger, stack, {
    onTampering: (key, finding) => {
      ownEvents.report(toTamperingEvent(key, finding));
    },
  });
  return { engines, sequencing: await startSequencing(config, { engines, ownEvents, logger }, stack) };
}

/** A bucket that does not hold what it is given must not be given anything. */
async function probeArchive(config: Config, logger: Logger, ownEvents: OwnEvents): Promise<void> {
  const report = await probeAtStart(config, logger);
  if (report !== undefined) ownEvents.report(toProbeEvent(report));
}

async function deadline(): Promise<never> {
  await delay(CLOSE_DEADLINE_MS, undefined, { ref: false });
  throw new PipelineError(
    'INTERNAL',
    `did not close within ${String(CLOSE_DEADLINE_MS)} ms; nothing acknowledged is lost`,
  );
}
