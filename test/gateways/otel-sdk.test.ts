/**
 * The exporters of the OpenTelemetry SDK for JavaScript against the receivers, which push back for a while: what the
 * exporters take for delivered is there, and what they send again is recognised.
 */
import { ExportResultCode } from '@opentelemetry/core';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import { OTLPLogExporter as GrpcExporter } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import { Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNormaliser } from '../../ingest/normalise.ts';
import { startReceivers, type RunningReceivers } from '../../ingest/receivers/serve.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { BEARER, prepareBench } from '../ingest/receivers/setup.ts';

const RECORDS = 25_000;
const BATCH = 512;
const PUSHBACK_MS = 1_500;
/** Requests that go through between two times of pushing back. */
const TAKEN_BETWEEN = 20;

const normalise = createNormaliser({
  surrogates: createSurrogates(Buffer.alloc(32, 7)),
});
const door = { taken: 0, pushedBack: 0, shutUntilMs: 0 };
const bench = prepareBench({
  append: () => {
    const isShut = performance.now() < door.shutUntilMs;
    if (!isShut && (door.taken += 1) % TAKEN_BETWEEN === 0)
      door.shutUntilMs = performance.now() + PUSHBACK_MS;
    if (performance.now() >= door.shutUntilMs) return Promise.resolve();
    door.pushedBack += 1;
    return Promise.reject(new PipelineError('LOG_PUSHBACK', 'full for a while'));
  },
  limits: { maxBodyBytes: 33_554_432, maxInflatedBytes: 67_108_864 },
});
let receivers: RunningReceivers;
beforeAll(async () => {
  receivers = await startReceivers(bench.options, { host: '127.0.0.1', port: 0, grpcPort: 0 });
});
afterAll(() => receivers.close());

const url = () => `http://127.0.0.1:${String(receivers.port)}/v1/logs`;
const GZIP = CompressionAlgorithm.GZIP;
const EXPORTERS: readonly (readonly [string, () => LogRecordExporter])[] = [
  ['http/json', () => new JsonExporter({ url: url(), headers: BEARER })],
  ['http/json with gzip', () => new JsonExporter({ url: url(), headers: BEARER, compression: GZIP })],
  ['http/protobuf with gzip', () => new ProtobufExporter({ url: url(), headers: BEARER, compression: GZIP })],
  ['grpc with gzip', () => sendingAgain(grpcExporter())],
];

function grpcExporter(): LogRecordExporter {
  const metadata = new Metadata();
  metadata.set('authorization', BEARER.authorization);
  const address = `http://127.0.0.1:${String(receivers.grpcPort)}`;
  return new GrpcExporter({ url: address, metadata, compression: GZIP, timeoutMillis: 30_000 });
}

function withExport(exporter: LogRecordExporter, send: LogRecordExporter['export']): LogRecordExporter {
  return {
    export: send,
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}

/**
 * This exporter gives up on the first refusal, whatever its status; others of its kind, and the Collector, send again
 * what the specification lets them. So does this one, by the status alone.
 */
function sendingAgain(exporter: LogRecordExporter): LogRecordExporter {
  const attempt: LogRecordExporter['export'] = (records, done) => {
    exporter.export(records, (result) => {
      const { code } = (result.error ?? {}) as { readonly code?: unknown };
      if (code !== status.UNAVAILABLE && code !== status.RESOURCE_EXHAUSTED) done(result);
      else setTimeout(() => attempt(records, done), PUSHBACK_MS);
    });
  };
  return withExport(exporter, attempt);
}

async function emit(exporter: LogRecordExporter, session: string): Promise<void> {
  const processor = new BatchLogRecordProcessor({
    exporter,
    maxQueueSize: 2 * RECORDS,
    maxExportBatchSize: BATCH,
    scheduledDelayMillis: 50,
    exportTimeoutMillis: 60_000,
  });
  const provider = new LoggerProvider({ processors: [processor] });
  const logger = provider.getLogger('test');
  for (let n = 0; n < RECORDS; n += 1) {
    logger.emit({ body: `event ${String(n)}`, attributes: { 'session.id': session, n } });
  }
  await provider.forceFlush();
  await provider.shutdown();
}

/** The number of each record that was kept, by record id: a repeated delivery has the same id. */
function keptNumbers(): Map<string, number> {
  const kept = new Map<string, number>();
  for (const envelope of bench.appended.splice(0)) {
    for (const { id, content } of normalise(envelope).records) {
      kept.set(id, (content?.['attributes'] as { n: number }).n);
    }
  }
  return kept;
}

/** Counts what it took for delivered, batch by batch. */
function counting(exporter: LogRecordExporter): { exporter: LogRecordExporter; delivered: () => number } {
  let delivered = 0;
  const counted: LogRecordExporter['export'] = (records, done) => {
    exporter.export(records, (result) => {
      if (result.code === ExportResultCode.SUCCESS) delivered += records.length;
      done(result);
    });
  };
  return {
    exporter: withExport(exporter, counted),
    delivered: () => delivered,
  };
}

describe('an exporter of the OpenTelemetry SDK', { timeout: 300_000 }, () => {
  it.each(EXPORTERS)('by %s loses nothing and sends nothing twice', async (name, open) => {
    const before = { ...door };
    await emit(open(), name);
    const numbers = [...keptNumbers().values()].sort((one, other) => one - other);
    expect(numbers).toEqual(Array.from({ length: RECORDS }, (_, n) => n));
    const pushedBack = door.pushedBack - before.pushedBack;
    expect(pushedBack).toBeGreaterThan(0);
    process.stdout.write(`${name}: ${String(RECORDS)} records, pushed back ${String(pushedBack)} times\n`);
  });

  it('that gives up when it is pushed back knows what it did not deliver', async () => {
    const { exporter, delivered } = counting(grpcExporter());
    await emit(exporter, 'gives up');
    const numbers = new Set(keptNumbers().values());
    expect(numbers.size).toBe(delivered());
    expect(numbers.size).toBeLessThan(RECORDS);
    expect(numbers.size).toBeGreaterThan(0);
  });
});
