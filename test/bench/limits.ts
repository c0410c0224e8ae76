/** Limits of the machine itself, measured in the same run as the figures beside them. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { runMeasured, runLoad, startBareServer, startNode } from './children.ts';
import { buildBody, EVENT_BYTES, type EventKind } from './events.ts';
import { spread, type Limit } from './figure.ts';

const FLUSHES = 40;
const FLUSH_BYTES = 64 * 1024;
const SPIN_MS = 400;

/** Milliseconds of an append of 64 KB with fsync, the median of a series. */
export async function measureFlush(folder: string, runs: number): Promise<Limit> {
  const file = await open(join(folder, 'flush'), 'a');
  const bytes = Buffer.alloc(FLUSH_BYTES, 'x');
  const values = await repeat(runs, async () => {
    const series: number[] = [];
    for (let flush = 0; flush < FLUSHES; flush += 1) {
      const from = performance.now();
      await file.write(bytes);
      await file.sync();
      series.push(performance.now() - from);
    }
    return spread(series).median;
  });
  await file.close();
  return { name: 'fsync of a 64 KB append', unit: 'ms', values };
}

export async function measureHash(runs: number): Promise<Limit> {
  const bytes = Buffer.alloc(EVENT_BYTES, 'x');
  const values = await repeat(runs, () => perSecond(() => createHash('sha256').update(bytes).digest()));
  return { name: 'SHA-256 of 1 KB', unit: 'hashes/s', values };
}

export async function measureParse(runs: number): Promise<Limit> {
  const events = 100;
  const body = buildBody('otlp', events);
  body.stamp(0);
  const text = body.bytes.toString();
  const values = await repeat(runs, () => perSecond(() => JSON.parse(text) as unknown) * events);
  return { name: 'JSON.parse of the same events', unit: 'events/s', values };
}

export interface BareRun {
  readonly eventsPerSecond: number;
  readonly p99Ms: number;
}

/** The same client and the same bodies against a server that only reads them. */
export async function measureBarePost(
  job: { kind: EventKind; eventsPerRequest: number; connections: number; requests: number },
  runs: number,
): Promise<BareRun[]> {
  const server = await startBareServer();
  const warmUp = Math.ceil(job.requests / 10);
  await runLoad({ ...job, port: server.port, requests: warmUp, firstRequest: job.requests });
  const measured = await repeat(runs, async () => {
    const { seconds, p99Ms } = await runLoad({ ...job, port: server.port, firstRequest: 0 });
    return { eventsPerSecond: (job.requests * job.eventsPerRequest) / seconds, p99Ms };
  });
  await server.stop();
  return measured;
}

export async function measureBareNode(runs: number): Promise<{ startMs: Limit; memoryMb: Limit }> {
  const starts = await repeat(runs, async () => {
    const from = performance.now();
    const child = startNode(['-e', '0']);
    await child.exited;
    return performance.now() - from;
  });
  // Long enough to be seen, or the process is gone before anybody looks at its memory.
  const idle = await repeat(runs, () => runMeasured(['-e', 'setTimeout(() => 0, 200)']));
  return {
    startMs: { name: 'node -e 0', unit: 'ms', values: starts },
    memoryMb: { name: 'node that idles', unit: 'MB', values: idle.map(({ peakMb }) => peakMb) },
  };
}

/** Runs one after another; measurements side by side would measure each other. */
export async function repeat<T>(runs: number, measure: (run: number) => T | Promise<T>): Promise<T[]> {
  const values: T[] = [];
  for (let run = 0; run < runs; run += 1) values.push(await measure(run));
  return values;
}

function perSecond(work: () => unknown): number {
  for (let warmUp = 0; warmUp < 100; warmUp += 1) work();
  const from = performance.now();
  let count = 0;
  while (performance.now() - from < SPIN_MS) {
    for (let round = 0; round < 10; round += 1) work();
    count += 10;
  }
  return (count * 1000) / (performance.now() - from);
}
