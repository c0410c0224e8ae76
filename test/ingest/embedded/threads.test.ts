import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedEventLog } from '../../../ingest/embedded/event-log.ts';
import type { EventLog } from '../../../ingest/event-log.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { consumeCount } from '../../contract/event-log.contract.ts';

const CHILD = join(import.meta.dirname, 'children', 'append.ts');

/** A worker does not take over the loader of its thread, so it registers one for TypeScript itself. */
function startWorker(argv: string[]): Worker {
  const code = `import('tsx/esm/api').then(({ register }) => {
    register();
    return import(${JSON.stringify(CHILD)});
  });`;
  return new Worker(code, { eval: true, argv });
}

describe('the embedded event log in two threads of one process', () => {
  let dir: string;
  let log: EventLog;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'affidavit-event-log-'));
    log = await openEmbeddedEventLog({
      newId: randomUUID,
      dir,
      maxBacklogBytes: 1 << 28,
      maxBacklogEnvelopes: 100_000,
    });
  });
  afterEach(async () => {
    await log.close();
    await rm(dir, { recursive: true });
  });

  it('delivers to the main thread what a worker appends while the main thread appends too', async () => {
    const worker = startWorker([dir, 'worker', '400', '3000']);
    const said: string[] = [];
    worker.on('message', (line: string) => said.push(line));
    const ended = once(worker, 'exit');
    const consuming = consumeCount(log, 600, { maxEnvelopes: 50 });
    for (let index = 0; index < 200; index += 1) await log.append([envelopeOf(`main${index}`)]);
    const { envelopes } = await consuming;
    await ended;
    const ids = envelopes.map((one) => one.envelope.envelope_id);
    expect(said.filter((line) => line.startsWith('no'))).toEqual([]);
    expect(new Set(ids).size).toBe(600);
    expect(ids).toEqual(expect.arrayContaining(said.map((line) => line.slice('ok '.length))));
    expect(envelopes.every((one, index) => one.offset === BigInt(index))).toBe(true);
    expect(await log.lag()).toEqual({ envelopes: 0, bytes: 0 });
  });

  it('stays open to the main thread after a worker closed its handle and ended', async () => {
    for (const round of ['a', 'b']) {
      const worker = startWorker([dir, round, '5']);
      await once(worker, 'exit');
    }
    await log.append([envelopeOf('last')]);
    const { envelopes } = await consumeCount(log, 11);
    expect(envelopes.at(-1)?.envelope.envelope_id).toBe('last');
  });
});
