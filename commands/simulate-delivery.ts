/** Posts simulated sessions to the receivers, many at once. */
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { SYSTEM } from '../app/context.ts';
import type { SimulatedRequest, SimulatedSession } from '../connectors/simulation/simulate.ts';
import { backoffMs, retryAfterMs } from '../ingest/send/retry-waits.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { Pace } from './pace.ts';
import { openPoster, type Answer, type Poster } from './poster.ts';

export interface DeliveryOptions {
  /** Base URL of the receivers. */
  readonly url: string;
  readonly token: string;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly onProgress: (totals: Readonly<DeliveryTotals>) => void;
}

export interface DeliveryTotals {
  /** Acknowledged requests. */
  requests: number;
  /** Records in acknowledged requests. */
  records: number;
  /** Attempts that failed for now: an answer that asked for a retry, or a broken connection. */
  retries: number;
  /** Requests that were refused or given up. */
  refused: number;
}

/** Sessions that are sent at once. A client sends the requests of a session one after the other, so this does too. */
const MAX_IN_FLIGHT = 16;
/** Attempts for one request: five minutes with the Retry-After of five seconds that receivers send. */
const MAX_TRIES = 60;
/** The wait before the second attempt. */
const FIRST_BACKOFF_MS = 100;
/** The longest wait between two attempts, unless the receivers ask for more. */
const MAX_BACKOFF_MS = 5_000;
const RETRIED: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/**
 * Posts every request of the sessions and resolves with the counts. A refused request is counted, and the others go on.
 * Throws STORE_UNAVAILABLE if nobody answers, AUTH_INVALID if the token is not accepted.
 */
export async function deliver(
  sessions: Iterable<SimulatedSession>,
  options: DeliveryOptions,
): Promise<DeliveryTotals> {
  const totals: DeliveryTotals = { requests: 0, records: 0, retries: 0, refused: 0 };
  const poster = openPoster(options.url, options.token, MAX_IN_FLIGHT);
  const shared = sessions[Symbol.iterator]();
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  // Every lane may listen to it at once.
  setMaxListeners(MAX_IN_FLIGHT * 2, signal);
  const lane = async () => {
    for (let next = shared.next(); next.done !== true && !signal.aborted; next = shared.next()) {
      await deliverSession(next.value, { ...options, signal, poster }, totals);
    }
  };
  const lanes = Array.from({ length: MAX_IN_FLIGHT }, () =>
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
      throw new PipelineError(
        'STORE_UNAVAILABLE',
        `${options.url} does not answer any more; it accepted ${taken}`,
      );
    }
    if ((answer !== undefined && !RETRIED.has(answer.status)) || tries === MAX_TRIES) {
      totals.refused += 1;
      return;
    }
    totals.retries += 1;
    await pauseBeforeRetry(answer, tries, options.signal);
    // A request that was not accepted when the command was stopped counts as refused.
    if (options.signal.aborted) {
      totals.refused += 1;
      return;
    }
  }
}

/** Waits as long as the answer asks for, else longer after each failure. */
async function pauseBeforeRetry(
  answer: Answer | undefined,
  failures: number,
  signal: AbortSignal,
): Promise<void> {
  const ownWaitMs = backoffMs(failures, { firstMs: FIRST_BACKOFF_MS, maxMs: MAX_BACKOFF_MS });
  const waitMs = retryAfterMs(answer?.retryAfter, SYSTEM.clock) ?? ownWaitMs;
  await delay(waitMs, undefined, { signal }).catch(() => undefined);
}

/** Undefined if nobody answered. */
async function post(
  request: SimulatedRequest,
  { url, poster }: Lane,
  totals: Readonly<DeliveryTotals>,
): Promise<Answer | undefined> {
  const answer = await poster.post(request).catch((error: unknown) => {
    // If no request was accepted yet, the address is more likely wrong than the server is down.
    if (totals.requests === 0) throw error;
    return undefined;
  });
  if (answer?.status === 401 || answer?.status === 403) {
    const detail = `${url} does not accept the token of AFFIDAVIT_COLLECTOR_TOKEN; it must be a collector token`;
    throw new PipelineError('AUTH_INVALID', detail);
  }
  return answer;
}
