/** How fast events are acknowledged, which is after they are on stable storage. Sealing goes on beside it. */
import { rm } from 'node:fs/promises';
import { BATCH_CONNECTIONS, BATCH_EVENTS, dataFolder, type Bench, type Findings } from './bench.ts';
import { runLoad, startServe } from './children.ts';
import { rounded, spread, toFigure } from './figure.ts';
import type { EventKind } from './events.ts';
import type { LoadResult } from './generator.ts';
import { measureBarePost, repeat } from './limits.ts';

const MOST_BATCHED_EVENTS = 50_000;
const MOST_HOOKS = 20_000;
const HOOKS_IN_FLIGHT = 64;

interface Intake {
  readonly name: string;
  readonly kind: EventKind;
  readonly eventsPerRequest: number;
  readonly connections: number;
  readonly requests: number;
}

export async function measureBatches(bench: Bench): Promise<Findings> {
  const requests = Math.ceil(Math.min(bench.records, MOST_BATCHED_EVENTS) / BATCH_EVENTS);
  const intake = { kind: 'otlp', eventsPerRequest: BATCH_EVENTS, connections: BATCH_CONNECTIONS } as const;
  const { results, bare, rates } = await measureIntake(bench, { ...intake, name: 'otlp_json_ack', requests });
  const p99 = rounded(spread(results.map(({ p99Ms }) => p99Ms)).median);
  return {
    figures: [
      toFigure({
        name: 'otlp_json_ack',
        unit: 'records/s',
        values: rates,
        limit: {
          name: 'bare fastify POST',
          unit: 'records/s',
          values: bare.map(({ eventsPerSecond }) => eventsPerSecond),
        },
        atLeast: 36_000,
      }),
    ],
    remarks: [
      `otlp_json_ack: ${requests} requests of ${BATCH_EVENTS} records of 1 KB over ${BATCH_CONNECTIONS} connections a run, p99 ${p99} ms a request, ${pushedBack(results)} pushed back`,
    ],
  };
}

export async function measureHooks(bench: Bench): Promise<Findings> {
  const requests = Math.min(bench.records, MOST_HOOKS);
  const intake = { kind: 'hook', eventsPerRequest: 1, connections: HOOKS_IN_FLIGHT } as const;
  const { results, bare, rates } = await measureIntake(bench, { ...intake, name: 'hook_post_64', requests });
  const p50 = rounded(spread(results.map(({ p50Ms }) => p50Ms)).median);
  const limit = { name: 'bare fastify POST', unit: 'requests/s' };
  return {
    figures: [
      toFigure({
        name: 'hook_post_64',
        unit: 'requests/s',
        values: rates,
        limit: { ...limit, values: bare.map(({ eventsPerSecond }) => eventsPerSecond) },
        atLeast: 5_000,
      }),
      toFigure({
        name: 'hook_post_64_p99',
        unit: 'ms',
        values: results.map(({ p99Ms }) => p99Ms),
        limit: { ...limit, unit: 'ms', values: bare.map(({ p99Ms }) => p99Ms) },
        atMost: 50,
      }),
    ],
    remarks: [
      `hook_post_64: ${requests} hook calls of 1 KB a run, ${HOOKS_IN_FLIGHT} connections with one request each in flight, p50 ${p50} ms, ${pushedBack(results)} pushed back`,
    ],
  };
}

/** Each run has its own server and log, warmed up, so that no run pays for the backlog of the one before. */
async function measureIntake(bench: Bench, { name, ...job }: Intake) {
  bench.say(`${name}: bare fastify`);
  const bare = await measureBarePost(job, bench.runs);
  const results = await repeat(bench.runs, async (run) => {
    bench.say(`${name}: run ${run + 1} of ${bench.runs}`);
    const data = dataFolder(bench, `${name}-${run}`);
    const server = await startServe(data, bench);
    const warmUp = Math.ceil(job.requests / 10);
    const port = server.ingestPort;
    await runLoad({ ...job, port, requests: warmUp, firstRequest: job.requests });
    await server.sealed(warmUp * job.eventsPerRequest);
    const result = await runLoad({ ...job, port, firstRequest: 0 });
    await server.stop();
    await rm(data, { recursive: true });
    return result;
  });
  const rates = results.map(({ seconds }) => (job.requests * job.eventsPerRequest) / seconds);
  return { results, bare, rates };
}

function pushedBack(results: readonly LoadResult[]): number {
  return results.reduce((sum, result) => sum + result.pushedBack, 0);
}
