/** The load generator, a separate process: a job as JSON in its argument, the result as JSON on standard output. */
import { setTimeout as delay } from 'node:timers/promises';
import { openConnection, type Connection } from './connection.ts';
import { buildBody, lastToolUseId, type EventKind } from './events.ts';
import { percentile } from './figure.ts';

export interface LoadJob {
  readonly port: number;
  readonly token: string;
  readonly kind: EventKind;
  readonly eventsPerRequest: number;
  readonly connections: number;
  readonly requests: number;
  /** Number of the first request: no two jobs on one log may share numbers, or events would be the same. */
  readonly firstRequest: number;
  /** Open loop at this rate; without it each connection sends as soon as it was answered. */
  readonly requestsPerSecond?: number;
  /** Now and then follow a request until the API shows its last event. */
  readonly watch?: { readonly apiUrl: string; readonly token: string; readonly everyMs: number };
}

export interface LoadResult {
  readonly seconds: number;
  /** Answers that asked to come again later; the request was sent again. */
  readonly pushedBack: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** From acknowledgement to visible, of the requests that were watched. */
  readonly visibleMs: readonly number[];
}

const PUSH_BACK_MS = 250;
const POLL_MS = 20;
const VISIBLE_DEADLINE_MS = 120_000;

interface Watched {
  readonly toolUseId: string;
  readonly ackedMs: number;
}

interface Progress {
  readonly latenciesMs: number[];
  readonly watched: Watched[];
  nextRequest: number;
  pushedBack: number;
  nextWatchMs: number;
}

async function runJob(job: LoadJob): Promise<LoadResult> {
  const opening = Array.from({ length: job.connections }, () => openConnection(job.port));
  const connections = await Promise.all(opening);
  const progress: Progress = { latenciesMs: [], watched: [], nextRequest: 0, pushedBack: 0, nextWatchMs: 0 };
  const startMs = performance.now();
  const sending = Promise.all(connections.map((connection) => sendAll(job, connection, progress, startMs)));
  const sent = new AbortController();
  const watching = followWatched(job.watch, progress.watched, sent.signal);
  // Whatever fails first is what went wrong; the other one is not waited for then.
  await Promise.race([sending, watching.then(() => sending)]);
  const seconds = (performance.now() - startMs) / 1000;
  sent.abort();
  const visibleMs = await watching;
  for (const connection of connections) connection.close();
  const latenciesMs = progress.latenciesMs.toSorted((a, b) => a - b);
  return {
    seconds,
    pushedBack: progress.pushedBack,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    visibleMs,
  };
}

async function sendAll(
  job: LoadJob,
  connection: Connection,
  progress: Progress,
  startMs: number,
): Promise<void> {
  const body = buildBody(job.kind, job.eventsPerRequest);
  const head =
    `POST ${body.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${job.token}\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.bytes.length}\r\n\r\n`;
  while (progress.nextRequest < job.requests) {
    const number = progress.nextRequest;
    progress.nextRequest += 1;
    if (job.requestsPerSecond !== undefined) {
      const dueMs = startMs + (number / job.requestsPerSecond) * 1000;
      if (dueMs > performance.now()) await delay(dueMs - performance.now());
    }
    body.stamp(job.firstRequest + number);
    const sentMs = performance.now();
    await sendUntilTaken(connection, head, body.bytes, progress);
    const ackedMs = performance.now();
    progress.latenciesMs.push(ackedMs - sentMs);
    if (job.watch !== undefined && ackedMs >= progress.nextWatchMs) {
      progress.nextWatchMs = ackedMs + job.watch.everyMs;
      const id = lastToolUseId(job.firstRequest + number, job.eventsPerRequest);
      progress.watched.push({ toolUseId: id, ackedMs });
    }
  }
}

async function sendUntilTaken(
  connection: Connection,
  head: string,
  body: Buffer,
  progress: Progress,
): Promise<void> {
  for (;;) {
    const status = await connection.send(head, body);
    if (status === 200) return;
    if (status !== 503 && status !== 429) throw new Error(`a request was answered ${status}`);
    progress.pushedBack += 1;
    await delay(PUSH_BACK_MS);
  }
}

/**
 * One question at a time, for the oldest request: records become visible in the order of the log, and many watchers
 * would slow down what they watch. A request that became visible while another was asked for counts as late as that.
 */
async function followWatched(
  watch: LoadJob['watch'],
  watched: readonly Watched[],
  sent: AbortSignal,
): Promise<number[]> {
  const visibleMs: number[] = [];
  if (watch === undefined) return visibleMs;
  while (!sent.aborted || visibleMs.length < watched.length) {
    const oldest = watched[visibleMs.length];
    if (oldest !== undefined && (await isVisible(watch, oldest.toolUseId))) {
      visibleMs.push(performance.now() - oldest.ackedMs);
      continue;
    }
    if (oldest !== undefined && performance.now() > oldest.ackedMs + VISIBLE_DEADLINE_MS)
      throw new Error(`${oldest.toolUseId} was acknowledged and did not become visible`);
    await delay(POLL_MS);
  }
  return visibleMs;
}

async function isVisible(
  { apiUrl, token }: NonNullable<LoadJob['watch']>,
  toolUseId: string,
): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${apiUrl}/v1/records?limit=1&tool_use_id=${toolUseId}`, { headers });
  if (answer.status !== 200) throw new Error(`the API answered ${answer.status}`);
  const { data } = (await answer.json()) as { data: unknown[] };
  return data.length > 0;
}

process.stdout.write(JSON.stringify(await runJob(JSON.parse(process.argv[2] ?? '') as LoadJob)));
