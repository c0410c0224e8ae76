/** From received to sealed and queryable: at full speed, and the delay at half of it. */
import { rm } from 'node:fs/promises';
import { BATCH_CONNECTIONS, BATCH_EVENTS, dataFolder, type Bench, type Findings } from './bench.ts';
import { runLoad, sampleMemory, startServe, type MemorySample, type Served } from './children.ts';
import { lastToolUseId } from './events.ts';
import { percentile, rounded, spread, toFigure, type Figure } from './figure.ts';
import { measureFlush, measureParse, repeat } from './limits.ts';
import { ADMIN_TOKEN } from '../support/server.ts';

/** A log that was filled, for what is measured on a full one. */
export interface Filled {
  readonly data: string;
  readonly records: number;
  readonly recordsPerSecond: number;
  /** How fast they were acknowledged, while those before them were sealed. */
  readonly ackedPerSecond: number;
  /** Of the server, in time. */
  readonly memoryMb: readonly MemorySample[];
}

const LOAD = { kind: 'otlp', eventsPerRequest: BATCH_EVENTS, connections: BATCH_CONNECTIONS } as const;
const HALF_RATE_SECONDS = 15;
const WATCH_EVERY_MS = 200;
/** Half of the wanted sealing rate: what the target of the delay is stated for. */
const TARGET_RECORDS_PER_SECOND = 5_000;

/** Sends as fast as it is acknowledged and waits until the last record can be asked for. */
export async function fillLog(bench: Bench, name: string, preload?: string): Promise<Filled> {
  const data = dataFolder(bench, name);
  const requests = Math.ceil(bench.records / BATCH_EVENTS);
  const records = requests * BATCH_EVENTS;
  const server = await startServe(data, {
    profile: bench.profile,
    ...(preload === undefined ? {} : { preload }),
  });
  const memory = sampleMemory(server.pid);
  const from = performance.now();
  const job = { ...LOAD, port: server.ingestPort, requests, firstRequest: 0 };
  // The generator's own start is not the server's time.
  const { seconds } = await runLoad(job);
  const ackedMs = performance.now();
  await server.sealed(records);
  await expectVisible(server, lastToolUseId(requests - 1, BATCH_EVENTS));
  const sealedSeconds = seconds + (performance.now() - ackedMs) / 1000;
  const memoryMb = await memory.stop();
  await server.stop();
  bench.say(
    `${name}: ${records} records acknowledged in ${rounded(seconds)} s, sealed in ${rounded(sealedSeconds)} s, whole run ${rounded((performance.now() - from) / 1000)} s`,
  );
  const [recordsPerSecond, ackedPerSecond] = [records / sealedSeconds, records / seconds];
  return { data, records, recordsPerSecond, ackedPerSecond, memoryMb };
}

async function expectVisible({ apiUrl }: Served, toolUseId: string): Promise<void> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const answer = await fetch(`${apiUrl}/v1/records?limit=1&tool_use_id=${toolUseId}`, { headers });
  const { data } = (await answer.json()) as { data: unknown[] };
  if (data.length !== 1) throw new Error(`${toolUseId} is sealed and not to be found`);
}

export interface SealedRate extends Findings {
  readonly filled: Filled;
}

/** The log of the last run stays for the figures that need a full one. */
export async function measureSealedRate(bench: Bench): Promise<SealedRate> {
  const parse = await measureParse(bench.runs);
  const fills = await repeat(bench.runs, async (run) => {
    bench.say(`sealed_rate: run ${run + 1} of ${bench.runs}`);
    const filled = await fillLog(bench, `sealed-${run}`);
    if (run < bench.runs - 1) await rm(filled.data, { recursive: true });
    return filled;
  });
  const rate = toFigure({
    name: 'sealed_rate',
    unit: 'records/s',
    values: fills.map(({ recordsPerSecond }) => recordsPerSecond),
    limit: parse,
    atLeast: 10_000,
  });
  const filled = fills.at(-1)!;
  const resident = describeMemory(fills, { name: 'sealed_rate_rss', kind: 'resident' });
  const own = describeMemory(fills, { name: 'sealed_rate_own', kind: 'own' });
  return {
    filled,
    figures: [rate, resident.figure, own.figure],
    remarks: [
      `sealed_rate: ${filled.records} records a run, sent as fast as they were acknowledged; from the first request to the last record published and found by the API`,
      `${resident.remark}; pages of the event log and other mapped files are in it, which the system takes back when it needs them`,
      `${own.remark}; without mapped files`,
    ],
  };
}

interface MemoryFigure {
  readonly name: string;
  readonly kind: keyof MemorySample;
}

function describeMemory(
  fills: readonly Filled[],
  { name, kind }: MemoryFigure,
): { figure: Figure; remark: string } {
  const runs = fills.map(({ memoryMb }) => memoryMb.map((sample) => sample[kind]));
  const figure = toFigure({
    name,
    unit: 'MB',
    values: runs.map((samples) => spread(samples).max),
    limit: {
      name: 'the same server before the first record',
      unit: 'MB',
      values: runs.map((samples) => samples[0] ?? 0),
    },
  });
  const paths = runs.map((samples) => {
    const { median, max } = spread(samples);
    const quarter = (share: number) => samples[Math.floor(samples.length * share)] ?? 0;
    const path = [quarter(0), quarter(0.25), quarter(0.5), quarter(0.75), samples.at(-1) ?? 0]
      .map(Math.round)
      .join(' → ');
    return `${path} MB (median ${Math.round(median)}, largest ${Math.round(max)})`;
  });
  return { figure, remark: `${name}: memory at start, quarters and end of each run: ${paths.join('; ')}` };
}

/** Open loop at half the measured rate, so that a slow moment of the server does not slow the sender down. */
export async function measureDelayAtHalf(bench: Bench, filled: Filled): Promise<Findings> {
  const flush = await measureFlush(bench.folder, bench.runs);
  const requestsPerSecond = filled.recordsPerSecond / 2 / BATCH_EVENTS;
  const most = Math.ceil(filled.records / BATCH_EVENTS);
  const requests = Math.min(Math.ceil(requestsPerSecond * HALF_RATE_SECONDS), most);
  const server = await startServe(filled.data, bench);
  const runs = await repeat(bench.runs, async (run) => {
    bench.say(`sealed_p95_half: run ${run + 1} of ${bench.runs} at ${rounded(requestsPerSecond)} requests/s`);
    const firstRequest = most + run * requests;
    const watch = { apiUrl: server.apiUrl, token: ADMIN_TOKEN, everyMs: WATCH_EVERY_MS };
    const job = { ...LOAD, port: server.ingestPort, requests, firstRequest, requestsPerSecond, watch };
    const result = await runLoad(job);
    await server.sealed(filled.records + (run + 1) * requests * BATCH_EVENTS);
    return { ...result, visibleMs: result.visibleMs.toSorted((a, b) => a - b) };
  });
  await server.stop();
  const [first] = runs;
  const watched = runs.reduce((sum, { visibleMs }) => sum + visibleMs.length, 0);
  const medians = spread(runs.map(({ visibleMs }) => percentile(visibleMs, 0.5)));
  const sent = (requests * BATCH_EVENTS) / (first?.seconds ?? 1);
  // At a lower rate a short delay says nothing about the target.
  const isAtTarget = sent >= TARGET_RECORDS_PER_SECOND;
  const verdict = isAtTarget
    ? ''
    : `; no verdict, the target is stated for ${TARGET_RECORDS_PER_SECOND} records/s`;
  return {
    figures: [
      toFigure({
        name: 'sealed_p95_half',
        unit: 'ms',
        values: runs.map(({ visibleMs }) => percentile(visibleMs, 0.95)),
        limit: flush,
        ...(isAtTarget ? { atMost: 2_000 } : {}),
      }),
    ],
    remarks: [
      `sealed_p95_half: ${Math.round(sent)} records/s on a log of ${filled.records}; ${watched} acknowledged requests were followed until the API showed their last record, median ${rounded(medians.median)} ms${verdict}`,
    ],
  };
}
