/**
 * Composition root of the receiving thread: event log and receivers alone, so that an acknowledgement never waits
 * for sealing, a query or a report. In: settings as worker data. Out: messages with its port, counters and failure.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { destination, pino } from 'pino';
import { openEventLog } from './event-log.ts';
import { dataPaths, readPseudonymKey, systemClock } from './paths.ts';
import type { Config } from '../config.ts';
import type { TlsTexts } from '../ingest/receivers/grpc/server.ts';
import type { GatewayMappings } from '../connectors/sources/gateways/mapped-shape.ts';
import { createReceiverCounters, type ReceiverCounters } from '../ingest/receivers/counters.ts';
import { createFingerprint } from '../ingest/receivers/redact-fingerprint.ts';
import { startReceivers } from '../ingest/receivers/serve.ts';
import { createTokenVerifier, type TokenEntry } from '../store/keys/tokens.ts';
import type { WebhookSecretEntries } from '../store/keys/webhook-secrets.ts';

export interface IngestSettings {
  readonly config: Config;
  readonly tokens: readonly TokenEntry[];
  readonly webhookSecrets: WebhookSecretEntries;
  readonly gatewayMappings: GatewayMappings;
}

export interface Ingest {
  readonly port: number;
  /** Of OTLP/gRPC, where there is one. */
  readonly grpcPort: number | undefined;
  counters(): Record<string, number>;
  close(): Promise<void>;
}

export type IngestMessage =
  | { readonly kind: 'listening'; readonly port: number; readonly grpcPort: number | undefined }
  | { readonly kind: 'counters'; readonly counters: Record<string, number> }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly message: string };

/** As the OTLP specification has them. */
const OTLP_HTTP_PORT = 4318;
const OTLP_GRPC_PORT = 4317;
const COUNTERS_EVERY_MS = 500;
const STANDARD_ERROR = 2;

/** Runs receivers in this thread. */
export async function startIngest(settings: IngestSettings): Promise<Ingest> {
  const { config, tokens, webhookSecrets, gatewayMappings } = settings;
  const logger = pino(
    { level: config.log_level, base: { role: 'ingest' } },
    destination({ fd: STANDARD_ERROR, sync: true }),
  );
  const eventLog = await openEventLog(config, logger);
  const counters = createReceiverCounters();
  const { ingest } = config;
  const receivers = await startReceivers(
    {
      eventLog,
      // Several partitions are several logs, and a session belongs in one of them.
      splitBySession: config.kafka.brokers !== undefined,
      verifyToken: createTokenVerifier(tokens),
      fingerprint: createFingerprint(await readPseudonymKey(dataPaths(config))),
      webhookSecrets,
      gatewayMappings,
      clock: systemClock,
      newId: randomUUID,
      logger,
      counters,
      limits: {
        maxBodyBytes: ingest.max_body_bytes,
        maxInflatedBytes: ingest.max_inflated_bytes,
        maxInFlightPerCollectorBytes: ingest.max_in_flight_per_collector_bytes,
        maxRequestsInFlightPerCollector: ingest.max_requests_in_flight_per_collector,
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
      await eventLog.close();
    },
  };
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

/** Refusals become figures of their own, one per error code. */
function flatten({ refused, ...counts }: ReceiverCounters): Record<string, number> {
  const refusals = Object.entries(refused).map(([code, count]) => [`refused_${code}`, count] as const);
  return { ...counts, ...Object.fromEntries(refusals) };
}

async function runAsWorker(settings: IngestSettings): Promise<void> {
  const say = (message: IngestMessage) => parentPort?.postMessage(message);
  try {
    const ingest = await startIngest(settings);
    const timer = setInterval(
      () => say({ kind: 'counters', counters: ingest.counters() }),
      COUNTERS_EVERY_MS,
    );
    parentPort?.once('message', () => {
      clearInterval(timer);
      void ingest.close().then(
        () => say({ kind: 'closed' }),
        (error: unknown) => say({ kind: 'failed', message: String(error) }),
      );
    });
    say({ kind: 'listening', port: ingest.port, grpcPort: ingest.grpcPort });
  } catch (error) {
    say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

const settings = (workerData as { readonly ingest?: IngestSettings } | null)?.ingest;
if (!isMainThread && settings !== undefined) await runAsWorker(settings);
