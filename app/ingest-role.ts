/**
 * Composition of the receiving thread: event log and receivers alone, so that an acknowledgement never waits for
 * sealing, a query or a report. In: settings as worker data. Out: messages with its ports, counters and failure.
 */
import { readFile } from 'node:fs/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { requireAccepted } from './accepted-event-log.ts';
import { createContext, createLogger, type AppContext, type Limits } from './context.ts';
import { readPseudonymKey } from './deployment-file.ts';
import { openEventLog } from './engines.ts';
import type { Config } from '../config.ts';
import type { TlsTexts } from '../ingest/receivers/grpc/server.ts';
import type { GatewayMappings } from '../connectors/sources/gateways/mapped-shape.ts';
import { sourcesWith } from '../connectors/sources/index.ts';
import { createReceiverCounters, type ReceiverCounters } from '../ingest/receivers/counters.ts';
import { createFingerprint } from '../ingest/receivers/redact-text.ts';
import { startReceivers } from '../ingest/receivers/serve.ts';
import { createTokenVerifier, type TokenEntry } from '../store/keys/tokens.ts';
import type { WebhookSecretEntries } from '../store/keys/webhook-secrets.ts';

/** Plain values, so that they can be handed to a worker thread. */
export interface IngestSettings {
  readonly config: Config;
  readonly limits: Limits;
  readonly tokens: readonly TokenEntry[];
  readonly webhookSecrets: WebhookSecretEntries;
  readonly gatewayMappings: GatewayMappings;
}

export interface Ingest {
  readonly port: number;
  /** Port of OTLP/gRPC; undefined if it is not served. */
  readonly grpcPort: number | undefined;
  counters(): Record<string, number>;
  close(): Promise<void>;
}

export type IngestMessage =
  | { readonly kind: 'listening'; readonly port: number; readonly grpcPort: number | undefined }
  | { readonly kind: 'counters'; readonly counters: Record<string, number> }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly message: string };

/** Ports of the OTLP specification. */
const OTLP_HTTP_PORT = 4318;
const OTLP_GRPC_PORT = 4317;
/** How often the thread posts its counters. */
const COUNTERS_EVERY_MS = 500;

/** Runs receivers in this thread. */
export async function startIngest(settings: IngestSettings, context = contextOf(settings)): Promise<Ingest> {
  const { config, tokens, webhookSecrets, gatewayMappings } = settings;
  const { logger, system, replaced } = context;
  const eventLog = replaced.eventLog ?? (await openEventLog(context));
  try {
    await requireAccepted(context, eventLog);
  } catch (error) {
    if (replaced.eventLog === undefined) await eventLog.close();
    throw error;
  }
  const counters = createReceiverCounters();
  const { ingest } = config;
  const receivers = await startReceivers(
    {
      eventLog,
      // Each partition is a log, and a session must stay in one log.
      splitBySession: config.kafka.brokers !== undefined,
      verifyToken: createTokenVerifier(tokens),
      fingerprint: createFingerprint(await readPseudonymKey(config)),
      webhookSecrets,
      sources: sourcesWith(gatewayMappings),
      clock: system.clock,
      newId: system.newId,
      logger,
      counters,
      limits: {
        maxBodyBytes: ingest.max_body_bytes,
        maxInflatedBytes: ingest.max_inflated_bytes,
      },
    },
    {
      host: config.host,
      port: ingest.port,
      grpcPort: ingest.grpc_port ?? (ingest.port === OTLP_HTTP_PORT ? OTLP_GRPC_PORT : undefined),
      tls: await readTls(ingest),
    },
  );
  return {
    port: receivers.port,
    grpcPort: receivers.grpcPort,
    counters: () => flatten(counters),
    async close() {
      await receivers.close();
      if (replaced.eventLog === undefined) await eventLog.close();
    },
  };
}

/** The thread logs under a role name, like every line of the other roles. */
function contextOf({ config, limits }: IngestSettings): AppContext {
  return createContext(config, { limits, logger: createLogger(config, { role: 'ingest' }) });
}

async function readTls({
  tls_cert,
  tls_key,
  tls_client_ca,
}: Config['ingest']): Promise<TlsTexts | undefined> {
  if (tls_cert === undefined || tls_key === undefined) return undefined;
  const [cert, key, clientCa] = await Promise.all([
    readFile(tls_cert, 'utf8'),
    readFile(tls_key, 'utf8'),
    tls_client_ca === undefined ? undefined : readFile(tls_client_ca, 'utf8'),
  ]);
  return { cert, key, clientCa };
}

/** Each error code and each source has a separate figure. */
function flatten({ refused, itemsBySource, ...counts }: ReceiverCounters): Record<string, number> {
  const refusals = Object.entries(refused).map(([code, count]) => [`refused_${code}`, count] as const);
  const items = Object.entries(itemsBySource).map(([name, count]) => [`items_of_${name}`, count] as const);
  return { ...counts, ...Object.fromEntries([...refusals, ...items]) };
}

async function runAsWorker(settings: IngestSettings): Promise<void> {
  const post = (message: IngestMessage) => parentPort?.postMessage(message);
  try {
    const ingest = await startIngest(settings);
    const timer = setInterval(
      () => post({ kind: 'counters', counters: ingest.counters() }),
      COUNTERS_EVERY_MS,
    );
    parentPort?.once('message', () => {
      clearInterval(timer);
      void ingest.close().then(
        () => post({ kind: 'closed' }),
        (error: unknown) => post({ kind: 'failed', message: String(error) }),
      );
    });
    post({ kind: 'listening', port: ingest.port, grpcPort: ingest.grpcPort });
  } catch (error) {
    post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

const settings = (workerData as { readonly ingest?: IngestSettings } | null)?.ingest;
if (!isMainThread && settings !== undefined) await runAsWorker(settings);
