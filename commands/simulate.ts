import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Config } from '../config.ts';
import { simulate as simulateSessions, type SimulatedSession } from '../connectors/simulation/simulate.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';
import { createPace, type Pace } from './pace.ts';
import { loadRecordings } from './recordings.ts';
import { toRequestLines } from './request-lines.ts';
import { deliver, type DeliveryTotals } from './simulate-delivery.ts';
import { readSimulateOptions, type ReadOptions, type SimulateOptions } from './simulation-options.ts';
import { requireCollectorToken } from './tokens.ts';

export type { SimulateOptions } from './simulation-options.ts';

export interface SimulateStreams {
  /** Takes the requests if there is no target to post them to. */
  readonly lines: Writable;
  /** Takes the summary if the requests go to `lines`. */
  readonly notes: Output;
  /** Takes summary and progress of a delivery. */
  readonly output: Output;
}

interface Summary extends DeliveryTotals {
  readonly seed: string;
  readonly sessions: number;
  /** Sessions with a denied tool call. */
  readonly denied: number;
  readonly incidents: number;
  readonly seconds: number;
  readonly records_per_second: number;
  /** Whether every requested session was made. */
  readonly finished: boolean;
}

interface Tally {
  sessions: number;
  denied: number;
  incidents: number;
  finished: boolean;
}

/** How often progress is shown. */
const PROGRESS_MS = 250;

/** Replays the recordings as other people. Resolves with true if no request was refused and no signal stopped it. */
export async function simulate(
  config: Config,
  options: SimulateOptions,
  streams: SimulateStreams,
  signal: AbortSignal,
): Promise<boolean> {
  const read = readSimulateOptions(options);
  const tally: Tally = { sessions: 0, denied: 0, incidents: 0, finished: false };
  const sessions = counted(simulateSessions(await loadRecordings(), read.simulation), tally);
  const pace = createPace(read.recordsPerSecond);
  const beganMs = performance.now();
  const totals =
    read.to === undefined
      ? await writeLines(sessions, streams.lines, pace, signal)
      : await post(read.to, sessions, { config, pace, signal, output: quietIf(options.json, streams) });
  const seconds = (performance.now() - beganMs) / 1000;
  const { requests, records, retries, refused } = totals;
  const { sessions: made, denied, incidents, finished } = tally;
  const summary: Summary = {
    seed: options.seed,
    sessions: made,
    denied,
    incidents,
    requests,
    records,
    retries,
    refused,
    seconds: Math.round(seconds * 1000) / 1000,
    records_per_second: Math.round(records / seconds),
    finished: finished && !signal.aborted,
  };
  const target = read.to === undefined ? streams.notes : streams.output;
  target.write(options.json ? toJsonLine(summary) : renderSummary(summary, read));
  return refused === 0 && !signal.aborted;
}

function quietIf(json: boolean, { output }: SimulateStreams): Output {
  return json ? { ...output, isTerminal: false } : output;
}

function* counted(sessions: Iterable<SimulatedSession>, tally: Tally): Generator<SimulatedSession> {
  for (const session of sessions) {
    tally.sessions += 1;
    if (session.kind === 'denied') tally.denied += 1;
    if (session.kind === 'incident') tally.incidents += 1;
    yield session;
  }
  tally.finished = true;
}

/** A reader that closes the pipe early, such as `head`, ends the writing without an error. */
async function writeLines(
  sessions: Iterable<SimulatedSession>,
  target: Writable,
  pace: Pace,
  signal: AbortSignal,
): Promise<DeliveryTotals> {
  const totals: DeliveryTotals = { requests: 0, records: 0, retries: 0, refused: 0 };
  try {
    const lines = Readable.from(toRequestLines(sessions, { pace, signal, totals }), { objectMode: false });
    await pipeline(lines, target, { end: false, signal });
  } catch (error) {
    if (!signal.aborted && (error as { code?: string }).code !== 'EPIPE') throw error;
  }
  return totals;
}

interface PostOptions {
  readonly config: Config;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly output: Output;
}

async function post(
  url: string,
  sessions: Iterable<SimulatedSession>,
  { config, pace, signal, output }: PostOptions,
): Promise<DeliveryTotals> {
  const token = requireCollectorToken(config);
  const progress = createProgress(output);
  let shownMs = performance.now();
  const onProgress = ({ requests, records, retries, refused }: Readonly<DeliveryTotals>) => {
    if (performance.now() - shownMs < PROGRESS_MS) return;
    shownMs = performance.now();
    const counts = `${String(requests)} requests, ${String(records)} records`;
    progress.step(`sent ${counts}, ${String(retries)} retries, ${String(refused)} refused`);
  };
  try {
    return await deliver(sessions, { url, token, pace, signal, onProgress });
  } finally {
    progress.done();
  }
}

function renderSummary(summary: Summary, { simulation, to }: ReadOptions): string {
  const share = (count: number) =>
    `${String(count)} (${percent(summary.sessions === 0 ? 0 : count / summary.sessions)})`;
  const { sessions, denied, incidents, requests, records, retries, refused } = summary;
  return [
    ...(summary.finished ? [] : ['Stopped before the end.']),
    `${to === undefined ? 'wrote' : 'sent'} ${String(requests)} requests with ${String(records)} records, all marked synthetic`,
    `  people     ${String(simulation.users)} on ${String(simulation.days)} day(s), seed ${simulation.seed}`,
    `  sessions   ${String(sessions)}`,
    `  denied     ${share(denied)}, asked for ${percent(simulation.denials)}`,
    `  incidents  ${share(incidents)}, asked for ${percent(simulation.incidents)}`,
    ...(to === undefined ? [] : [`  retries    ${String(retries)}`, `  refused    ${String(refused)}`]),
    `  rate       ${String(summary.records_per_second)} records/s over ${String(summary.seconds)} s\n`,
  ].join('\n');
}

function percent(share: number): string {
  return `${String(Math.round(share * 10_000) / 100)} %`;
}
