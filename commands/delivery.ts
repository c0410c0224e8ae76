import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { SimulatedRequest, SimulatedSession } from '../connectors/simulation/simulate.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { Pace } from './pace.ts';
import { openPoster, type Answer, type Poster } from './poster.ts';
import { retryAfterMs } from './retry-after.ts';

export interface DeliveryOptions {
  /** Base URL of the receivers. */
  readonly url: string;
  readonly token: string;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly onProgress: (totals: Readonly<DeliveryTotals>) => void;
}

export interface DeliveryTotals {
  /** Acknowledged. */
  requests: number;
  /** In acknowledged requests. */
  records: number;
  /** Answers that asked to come again, and connections that broke. */
  retries: number;
  /** Requests that were given up. */
  refused: number;
}

/** Sessions under way at once. The requests of one session are sent one after the other, as a client does. */
const IN_FLIGHT = 16;
/** With the receivers' Retry-After of five seconds this is five minutes. */
const MAX_TRIES = 60;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;
const RETRIED: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/**
 * Posts every request of the sessions and resolves with what became of them. A request that is refused for good is
 * counted, and the rest goes on. Throws if nobody ever answered or answers any more, and if the token is not accepted.
 */
export async function deliver(
  sessions: Iterable<SimulatedSession>,
  options: DeliveryOptions,
): Promise<DeliveryTotals> {
  const totals: DeliveryTotals = { requests: 0, records: 0, retries: 0, refused: 0 };
  const poster = openPoster(options.url, options.token, IN_FLIGHT);
  const shared = sessions[Symbol.iterator]();
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  // Every lane may be waiting on it.
  setMaxListeners(IN_FLIGHT * 2, signal);
  const lane = async () => {
    for (let next = shared.next(); next.done !== true && !signal.aborted; next = shared.next()) {
      await deliverSession(next.value, { ...options, signal, poster }, totals);
    }
  };
  const lanes = Array.from({ length: IN_FLIGHT }, () =>
    lane().catch((error: unknown) => {
      failed.abort();
      throw error;
    }),
  );
  const ends = await Promise.allSettled(lanes);
  poster.close();
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return totals;
}

interface Lane extends DeliveryOptions {
  readonly poster: Poster;
}

async function deliverSession(
  session: SimulatedSession,
  options: Lane,
  totals: DeliveryTotals,
): Promise<void> {
  for (const request of session.requests()) {
    await options.pace(request.records, options.signal);
    if (options.signal.aborted) return;
    await deliverRequest(request, options, totals);
    options.onProgress(totals);
  }
}

async function deliverRequest(
  request: SimulatedRequest,
  options: Lane,
  totals: DeliveryTotals,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const answer = await post(request, options, totals);
    if (answer !== undefined && answer.status >= 200 && answer.status < 300) {
      totals.requests += 1;
      totals.records += request.records;
      return;
    }
    if (answer === undefined && tries === MAX_TRIES) {
      const taken = `${String(totals.requests)} requests with ${String(totals.records)} records`;
      throw new PipelineError('STORE_UNAVAILABLE', `${options.url} answers no more; it took ${taken}`);
    }
    if ((answer !== undefined && !RETRIED.has(answer.status)) || tries === MAX_TRIES) {
      totals.refused += 1;
      return;
    }
    totals.retries += 1;
    const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(tries - 1, 10));
    await pause(askedWaitMs(answer) ?? backoff, options.signal);
    // Given up by whoever stopped the command: it was not taken, so it counts as refused.
    if (options.signal.aborted) {
      totals.refused += 1;
      return;
    }
  }
}

/** Undefined if there was no answer. */
async function post(
  request: SimulatedRequest,
  { url, poster }: Lane,
  totals: Readonly<DeliveryTotals>,
): Promise<Answer | undefined> {
  const answer = await poster.post(request).catch((error: unknown) => {
    // Before anything was taken, the address is more likely wrong than the server away.
    if (totals.requests === 0) throw error;
    return undefined;
  });
  if (answer?.status === 401 || answer?.status === 403) {
    const detail = `${url} does not accept the token of AFFIDAVIT_COLLECTOR_TOKEN; it must be a collector token`;
    throw new PipelineError('AUTH_INVALID', detail);
  }
  return answer;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

function askedWaitMs(answer: Answer | undefined): number | undefined {
  return retryAfterMs(answer?.retryAfter);
}
