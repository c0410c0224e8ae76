import { randomUUID } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openEmbeddedEventLog } from '../../../ingest/embedded/event-log.ts';
import { openEnvironment } from '../../../ingest/embedded/environment.ts';
import type { LoggedBatch } from '../../../ingest/event-log.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { makeTempDir } from '../../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
beforeEach(async () => {
  folder = await makeTempDir();
});
afterEach(() => folder.remove());

const reasons: string[] = [];
const openLog = () =>
  openEmbeddedEventLog({
    newId: randomUUID,
    dir: join(folder.path, 'event-log'),
    maxBacklogBytes: 1 << 24,
    maxBacklogEnvelopes: 100,
    onDeadLetter: ({ offset, reason }) => reasons.push(`${offset} ${reason}`),
  });

it('keeps the bytes of an entry that was damaged on the disk, counts it, and delivers the ones around it', async () => {
  const written = await openLog();
  await written.append(['a', 'b', 'c'].map((name) => envelopeOf(name)));
  await written.close();
  const damaged = await damageSecondEntry(join(folder.path, 'event-log'));

  const log = await openLog();
  const batches: LoggedBatch[] = [];
  const stop = new AbortController();
  const bounds = { partition: 0, from: 0n, maxEnvelopes: 10, maxBytes: 1 << 20, signal: stop.signal };
  await log.consume(bounds, (batch) => {
    batches.push(batch);
    stop.abort();
    return Promise.resolve();
  });
  expect(batches[0]?.envelopes.map(({ envelope }) => envelope.envelope_id)).toEqual(['a', 'c']);
  expect(batches[0]).toMatchObject({ deadLetters: [expect.any(BigInt) as bigint], nextOffset: 3n });
  expect(reasons).toEqual(['1 event log entry: checksum does not match']);
  const dir = join(folder.path, 'event-log', 'dead-letters');
  const [name] = await readdir(dir);
  expect(name).toMatch(/^1-[0-9a-f]{16}\.frame$/);
  expect(await readFile(join(dir, name!))).toEqual(damaged);
  expect((await stat(join(dir, name!))).mode & 0o077).toBe(0);
  expect((await log.lag()).envelopes).toBe(0);
  await log.close();
});

async function damageSecondEntry(dir: string): Promise<Buffer> {
  const environment = await openEnvironment(dir, { mapBytes: 1 << 26 });
  const entries = environment.database('entries');
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(1n);
  const bytes = Buffer.from(entries.get(key)!);
  bytes[bytes.length - 1]! ^= 1;
  await environment.commit(() => void entries.put(key, bytes));
  await environment.close();
  return bytes;
}
