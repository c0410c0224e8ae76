/**
 * Composition root of the receiving thread: event log and receivers alone, so that an acknowledgement never waits
 * for sealing, a query or a report. In: settings as worker data. Out: messages with its port, counters and failure.
 */
import { randomUUID } from 'node:crypto';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { destination, pino } from 'pino';
import { openEventLog } from './compose-event-log.ts';
import { systemClock } from './compose-paths.ts';
import type { Config } from './config.ts';
import { createReceiverCounters, type ReceiverCounters } from './ingest/receivers/counters.ts';
import { startReceivers } from './ingest/receivers/serve.ts';
import { createTokenVerifier, type TokenEntry } from './store/keys/tokens.ts';

export interface IngestSettings {
  readonly config: Config;
  readonly tokens: readonly TokenEntry[];
}

export interface Ingest {
  readonly port: number;
  counters(): Record<string, number>;
  close(): Promise<void>;
}

export type IngestMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'counters'; readonly counters: Record<string, number> }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly message: string };

const COUNTERS_EVERY_MS = 500;
const STANDARD_ERROR = 2;

/** Runs receivers in this thread. */
export async function startIngest({ config, tokens }: IngestSettings): Promise<Ingest> {
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
    { host: config.host, port: ingest.port },
  );
  return {
    port: receivers.port,
    counters: () => flatten(counters),
    async close() {
      await receivers.close();
      await eventLog.close();
    },
  };
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
    say({ kind: 'listening', port: ingest.port });
  } catch (error) {
    say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

const settings = (workerData as { readonly ingest?: IngestSettings } | null)?.ingest;
if (!isMainThread && settings !== undefined) await runAsWorker(settings);
