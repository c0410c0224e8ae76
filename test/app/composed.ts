import { randomUUID } from 'node:crypto';
/** The whole program in this process, with models instead of engines. */
import { compose, type Running } from '../../app/app.ts';
import type { Overrides } from '../../app/context.ts';
import { loadConfig } from '../../config.ts';
import type { EventLog } from '../../ingest/event-log.ts';
import { openEmbeddedEventLog } from '../../ingest/embedded/event-log.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import { createTestLogger, type LogLine } from '../support/log-lines.ts';
import { createMemoryArchive } from '../support/memory-archive.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { ADMIN_TOKEN, COLLECTOR_TOKEN, makeTempDir } from '../support/server.ts';

export const NOW_MS = Date.parse('2026-11-21T09:00:00.000Z');

export interface Composed {
  readonly running: Running;
  readonly archive: ReturnType<typeof createMemoryArchive>;
  readonly records: ReturnType<typeof createMemoryRecordStore>;
  /** Envelopes that the event log took, in order. */
  readonly appended: readonly Envelope[];
  readonly lines: readonly LogLine[];
  /** Posts JSON to a route of the receivers. */
  post(route: string, body: unknown): Promise<Response>;
  close(): Promise<void>;
}

export async function composeForTest(
  env: Readonly<Record<string, string>> = {},
  overrides: Overrides = {},
): Promise<Composed> {
  const folder = await makeTempDir();
  const config = loadConfig(undefined, {
    AFFIDAVIT_DATA: folder.path,
    AFFIDAVIT_INGEST_PORT: '0',
    AFFIDAVIT_API_PORT: '0',
    AFFIDAVIT_INGEST_SEAL_AFTER_MS: '0',
    AFFIDAVIT_ADMIN_TOKEN: ADMIN_TOKEN,
    AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN,
    ...env,
  });
  const limits = { maxBacklogBytes: 16 * 1024 * 1024, maxBacklogEnvelopes: 1000 };
  const embedded = await openEmbeddedEventLog({
    newId: randomUUID,
    dir: `${folder.path}/given-log`,
    ...limits,
  });
  const appended: Envelope[] = [];
  const eventLog: EventLog = {
    id: embedded.id,
    settle: (partition, from) => embedded.settle(partition, from),
    append: async (envelopes) => {
      await embedded.append(envelopes);
      appended.push(...envelopes);
    },
    consume: (options, onBatch) => embedded.consume(options, onBatch),
    lag: () => embedded.lag(),
    close: () => Promise.reject(new Error('the composition closed an engine that it was given')),
  };
  const { logger, lines } = createTestLogger();
  const [archive, records] = [createMemoryArchive(), createMemoryRecordStore()];
  const models = { archive, records, eventLog, logger, clock: () => NOW_MS };
  const running = await compose(config, { ...models, init: true, ...overrides });
  return {
    running,
    archive,
    records,
    appended,
    lines,
    post: (route, body) =>
      fetch(`http://127.0.0.1:${String(running.ingestPort)}${route}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${COLLECTOR_TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    async close() {
      await running.close();
      await embedded.close();
      await folder.remove();
    },
  };
}
