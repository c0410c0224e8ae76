/**
 * A real OpenTelemetry Collector with a queue on disk between an exporter and the built server. Both are killed and
 * started again while records come in, and the server is away for a while: what the collector took arrives, once.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ExportResultCode } from '@opentelemetry/core';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { COLLECTOR_TOKEN, getAll, makeTempDir, startServer, type TestServer } from '../support/server.ts';
import { startChild, type Child } from './child.ts';
import { findCollector } from './engines.ts';

const collector = await findCollector();
const reason = 'skipped' in collector ? `(skipped: ${collector.skipped})` : '';
const RECORDS = 6_000;
const BATCH = 100;
const SESSION = 'through the collector';

describe.skipIf('skipped' in collector)(`behind a real Collector ${reason}`, { timeout: 300_000 }, () => {
  let folder: Awaited<ReturnType<typeof makeTempDir>>;
  let server: TestServer;
  let between: Child;
  let receiverPort = 0;
  let ingestPort = 0;
  let data = '';
  let config = '';

  const startOwn = () => startServer(data, { AFFIDAVIT_INGEST_PORT: String(ingestPort) });
  const startBetween = () =>
    startChild('path' in collector ? collector.path : '', ['--config', config], {}, () =>
      isOpen(receiverPort),
    );

  beforeAll(async () => {
    folder = await makeTempDir();
    data = join(folder.path, 'data');
    ingestPort = await freePort();
    receiverPort = await freePort();
    config = join(folder.path, 'collector.yaml');
    await mkdir(join(folder.path, 'queue'));
    await writeFile(config, collectorConfig(receiverPort, ingestPort, join(folder.path, 'queue')));
    server = await startOwn();
    between = await startBetween();
  }, 120_000);
  afterAll(async () => {
    await between.stop('SIGKILL');
    await server.stop();
    await folder.remove();
  });

  it('loses nothing that the Collector took, and seals nothing twice, over kills of both', async () => {
    const { exporter, delivered } = counting(
      new OTLPLogExporter({ url: `http://127.0.0.1:${String(receiverPort)}/v1/logs` }),
    );
    const processor = new BatchLogRecordProcessor({
      exporter,
      maxQueueSize: 2 * RECORDS,
      maxExportBatchSize: BATCH,
      scheduledDelayMillis: 50,
    });
    const provider = new LoggerProvider({ processors: [processor] });
    const logger = provider.getLogger('test');
    const emit = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n += 1) {
        logger.emit({ body: `event ${String(n)}`, attributes: { 'session.id': SESSION, n } });
      }
      await provider.forceFlush();
    };
    await emit(0, RECORDS / 3);
    server.process.kill('SIGKILL');
    await emit(RECORDS / 3, (2 * RECORDS) / 3);
    await between.stop('SIGKILL');
    between = await startBetween();
    server = await startOwn();
    await emit((2 * RECORDS) / 3, RECORDS);
    await provider.shutdown();
    expect(delivered()).toBe(RECORDS);
    const numbers = await untilThere(server, RECORDS);
    expect(numbers).toEqual(Array.from({ length: RECORDS }, (_, n) => n));
  });
});

/** Waits until as many records of the session are sealed, and a little longer for any that would be too many. */
async function untilThere(server: TestServer, count: number): Promise<number[]> {
  const limitMs = performance.now() + 120_000;
  for (;;) {
    const numbers = await numbersOf(server);
    if (numbers.length >= count || performance.now() > limitMs) {
      await delay(3_000);
      await server.sealed();
      return numbersOf(server);
    }
    await delay(1_000);
  }
}

async function numbersOf(server: TestServer): Promise<number[]> {
  const path = `/v1/records?session_id=${encodeURIComponent(SESSION)}&include=content&limit=1000`;
  const records = await getAll<{ content: { attributes: { n: number } } }>(server, path);
  return records.map(({ content }) => content.attributes.n).sort((one, other) => one - other);
}

function counting(exporter: LogRecordExporter): { exporter: LogRecordExporter; delivered: () => number } {
  let delivered = 0;
  return {
    exporter: {
      export: (records, done) => {
        exporter.export(records, (result) => {
          if (result.code === ExportResultCode.SUCCESS) delivered += records.length;
          done(result);
        });
      },
      forceFlush: () => exporter.forceFlush(),
      shutdown: () => exporter.shutdown(),
    },
    delivered: () => delivered,
  };
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function collectorConfig(receiverPort: number, ingestPort: number, queue: string): string {
  return `receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:${String(receiverPort)}
extensions:
  file_storage:
    directory: ${queue}
    fsync: true
exporters:
  otlphttp:
    endpoint: http://127.0.0.1:${String(ingestPort)}
    headers:
      authorization: Bearer ${COLLECTOR_TOKEN}
    retry_on_failure:
      initial_interval: 200ms
      max_interval: 1s
      max_elapsed_time: 0s
    sending_queue:
      storage: file_storage
      queue_size: 100000
service:
  telemetry:
    metrics:
      level: none
  extensions: [file_storage]
  pipelines:
    logs:
      receivers: [otlp]
      exporters: [otlphttp]
`;
}
