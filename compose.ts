/**
 * The composition root: Config → adapters → roles, top to bottom as the flow goes. Together with the other compose
 * files the only importer of adapters, and the only place that binds clock, ids and randomness.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { destination, pino, type Logger } from 'pino';
import { buildApi } from './api/app.ts';
import { buildMetrics, type MetricsSnapshot } from './api/metrics.ts';
import { spawnIngest, type IngestThread } from './compose-ingest-thread.ts';
import { dataPaths, initialise, systemClock, type GeneratedTokens } from './compose-init.ts';
import { createCloseStack, openStores, type CloseStack, type Stores } from './compose-stores.ts';
import type { Config } from './config.ts';
import { openEmbeddedEventLog } from './ingest/embedded/event-log.ts';
import type { EventLog } from './ingest/event-log.ts';
import { closeWithin } from './ingest/receivers/serve.ts';
import { createNormaliser } from './ingest/normalise.ts';
import { createSequencer, type Sequencer } from './ingest/sequencer.ts';
import { createSurrogates } from './ingest/surrogates.ts';
import { PipelineError } from './schemas/errors.ts';
import { readSecretFile } from './store/keys/secret-file.ts';
import { createTokenVerifier, readTokens, type TokenEntry } from './store/keys/tokens.ts';

const STANDARD_ERROR = 2;
const RETENTION_CLASS = 'standard';
const CLOSE_DEADLINE_MS = 20_000;
/** What a question to the API may still take when the process is asked to end. */
const CLOSE_GRACE_MS = 5_000;

export interface Running {
  readonly ingestPort: number;
  readonly apiPort: number;
  /** Tokens that the first start generated, to be shown once. */
  readonly created: GeneratedTokens | undefined;
  /** Rejects when a role fails; resolves after `close`. */
  readonly stopped: Promise<void>;
  /** Stops accepting, finishes the batch in hand, closes everything. Idempotent. */
  close(): Promise<void>;
}

/** Log lines go to standard error; standard output is for people and for `--json`. */
export function createLogger(config: Config): Logger {
  const redact = {
    paths: ['req.headers', 'token', '*.token', 'authorization', '*.authorization'],
    remove: true,
  };
  return pino(
    { level: config.log_level, redact, base: null },
    destination({ fd: STANDARD_ERROR, sync: true }),
  );
}

/** Starts every role in this process on the embedded default; the first start initialises the data folder. */
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
  const logger = createLogger(config);
  const { created } = await initialise(config);
  const paths = dataPaths(config.data);
  const tokens = await readTokens(paths.tokens);
  if (tokens === undefined) throw new PipelineError('START_REFUSED', `${paths.tokens} is missing`);
  const stores = stack.keep(await openStores(config, logger));
  const eventLog = stack.keep(
    await openEmbeddedEventLog({
      dir: paths.eventLog,
      maxBacklogBytes: config.ingest.max_backlog_bytes,
      maxBacklogEnvelopes: config.ingest.max_backlog_envelopes,
    }),
  );
  const sequencer = createSequencer({
    eventLog,
    ledger: stores.ledger,
    seenIds: stores.seenIds,
    normalise: createNormaliser({
      surrogates: createSurrogates(await readPseudonymKey(paths.pseudonymKey)),
      retentionClass: RETENTION_CLASS,
    }),
    logger: logger.child({ role: 'sequence' }),
    partition: 0,
    maxBatchEnvelopes: config.sequencer.max_batch_envelopes,
    maxBatchBytes: config.sequencer.max_batch_bytes,
    sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => undefined),
  });
  const sequencing = runSequencer(sequencer, stack);
  const ingest = stack.keep(await startReceivers(config, tokens));
  const apiPort = await startApi(config, { stores, eventLog, sequencer, ingest, tokens, logger }, stack);
  return { ingestPort: ingest.port, apiPort, created, stopped: Promise.race([sequencing, ingest.failed]) };
}

/** The stack closes backwards: receivers first, then the sequencer, which finishes its batch, then the stores. */
function runSequencer(sequencer: Sequencer, stack: CloseStack): Promise<void> {
  const stop = new AbortController();
  const sequencing = sequencer.run(stop.signal);
  // Whoever waits on `stopped` gets the failure; nobody may be waiting yet.
  sequencing.catch(() => undefined);
  stack.keep({
    async close() {
      stop.abort();
      await sequencing.catch(() => undefined);
    },
  });
  return sequencing;
}

function startReceivers(config: Config, tokens: readonly TokenEntry[]): Promise<IngestThread> {
  return spawnIngest({
    eventLogDir: dataPaths(config.data).eventLog,
    tokens,
    host: config.host,
    port: config.ingest.port,
    logLevel: config.log_level,
    maxBodyBytes: config.ingest.max_body_bytes,
    maxInflatedBytes: config.ingest.max_inflated_bytes,
    maxBacklogBytes: config.ingest.max_backlog_bytes,
    maxBacklogEnvelopes: config.ingest.max_backlog_envelopes,
    maxBacklogPerCollectorPercent: config.ingest.max_backlog_per_collector_percent,
    maxInFlightPerCollectorBytes: config.ingest.max_in_flight_per_collector_bytes,
    maxRequestsInFlightPerCollector: config.ingest.max_requests_in_flight_per_collector,
  });
}

interface ApiParts {
  readonly stores: Stores;
  readonly eventLog: EventLog;
  readonly sequencer: Sequencer;
  readonly ingest: IngestThread;
  readonly tokens: readonly TokenEntry[];
  readonly logger: Logger;
}

/** Listens with the API and gives its port. */
async function startApi(config: Config, parts: ApiParts, stack: CloseStack): Promise<number> {
  const { stores, eventLog, sequencer, ingest, tokens, logger } = parts;
  const snapshot = async (): Promise<MetricsSnapshot> => {
    const published = await stores.ledger.checkpoint();
    return {
      receivers: ingest.counters(),
      sequencer: sequencer.counters,
      ledger: { tree_size: stores.ledger.treeSize(), published_tree_size: published?.tree_size ?? 0 },
      lag: await eventLog.lag(),
    };
  };
  const metrics = buildMetrics(snapshot);
  const app = buildApi({
    store: stores.records,
    published: stores.ledger,
    packages: stores.packages,
    verifyToken: createTokenVerifier(tokens),
    readiness: async () => {
      const { lag, ledger } = await snapshot();
      const reasons = sequencer.retrying();
      return { ready: reasons.length === 0, reasons: [...reasons], lag, ...ledger };
    },
    metrics: () => metrics.text(),
    logger: logger.child({ role: 'api' }),
    clock: systemClock,
    newId: randomUUID,
  });
  stack.keep({ close: closeWithin(app, CLOSE_GRACE_MS) });
  return Number(new URL(await app.listen({ host: config.host, port: config.api.port })).port);
}

async function readPseudonymKey(path: string): Promise<Uint8Array> {
  const key = await readSecretFile(path);
  if (key === undefined)
    throw new PipelineError('START_REFUSED', `${path} is missing; restore it from the backup`);
  return key;
}

async function deadline(): Promise<never> {
  await delay(CLOSE_DEADLINE_MS, undefined, { ref: false });
  throw new PipelineError(
    'INTERNAL',
    `did not close within ${String(CLOSE_DEADLINE_MS)} ms; nothing acknowledged is lost`,
  );
}
