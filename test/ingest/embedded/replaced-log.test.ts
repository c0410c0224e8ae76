import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedEventLog } from '../../../ingest/embedded/event-log.ts';
import type { EventLog } from '../../../ingest/event-log.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { consumeCount, type Consumed } from '../../contract/event-log.contract.ts';

const placesOf = (consumed: Consumed): (string | bigint)[][] =>
  consumed.envelopes.map((one) => [one.offset, one.envelope.envelope_id]);

describe('an embedded event log that the ledger is ahead of', () => {
  let dir: string;
  let log: EventLog;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'affidavit-event-log-'));
    log = await openEmbeddedEventLog({
      newId: randomUUID,
      dir,
      maxBacklogBytes: 1 << 24,
      maxBacklogEnvelopes: 1000,
    });
  });
  afterEach(async () => {
    await log.close();
    await rm(dir, { recursive: true });
  });

  it('goes on at the offset of the ledger when it is empty', async () => {
    const consuming = consumeCount(log, 1, { from: 1000n });
    await log.append([envelopeOf('a')]);
    expect(placesOf(await consuming)).toEqual([[1000n, 'a']]);
  });

  it('delivers everything it holds from the offset of the ledger on, and counts on from there', async () => {
    await log.append([envelopeOf('sealed')]);
    await consumeCount(log, 1);
    await log.append([envelopeOf('a'), envelopeOf('b')]);
    expect(placesOf(await consumeCount(log, 2, { from: 50n }))).toEqual([
      [50n, 'a'],
      [51n, 'b'],
    ]);
    await log.append([envelopeOf('c')]);
    await log.close();
    log = await openEmbeddedEventLog({
      newId: randomUUID,
      dir,
      maxBacklogBytes: 1 << 24,
      maxBacklogEnvelopes: 1000,
    });
    expect(placesOf(await consumeCount(log, 1, { from: 52n }))).toEqual([[52n, 'c']]);
    expect(await log.lag()).toEqual({ envelopes: 0, bytes: 0 });
  });

  it('leaves offsets alone when the ledger stands exactly at its end', async () => {
    await log.append([envelopeOf('a')]);
    const consuming = consumeCount(log, 1, { from: 1n });
    await log.append([envelopeOf('b')]);
    expect(placesOf(await consuming)).toEqual([[1n, 'b']]);
  });

  it('refuses any partition but 0', async () => {
    const bounds = { from: 0n, maxEnvelopes: 1, maxBytes: 1, signal: AbortSignal.abort() };
    await expect(log.consume({ ...bounds, partition: 1 }, () => Promise.resolve())).rejects.toThrow(
      RangeError,
    );
  });

  it('keeps its files from other users', async () => {
    expect((await stat(dir)).mode & 0o077).toBe(0);
    for (const name of await readdir(dir)) expect((await stat(join(dir, name))).mode & 0o077).toBe(0);
  });
});
