/** Delivers collected bodies to the receivers. In: bodies. Out: accepted, or refused for good and why. */
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Type } from 'typebox';
import type { Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { compileValidator } from '../../schemas/validate.ts';
import { call, parseAs, urlBelow } from './http.ts';
import { backoffMs, retryAfterMs } from './retry-waits.ts';

export interface DeliveryTarget {
  /** Base URL of the receivers. */
  readonly to: string;
  readonly token: string;
  readonly clock: Clock;
  /** Ends waits and further attempts; the receivers still answer a request in hand. */
  readonly signal: AbortSignal;
  /** How long one body is tried again. @default 300000 */
  readonly patienceMs?: number;
  /** The wait before the second attempt; each later wait is twice as long, up to five seconds. @default 250 */
  readonly firstBackoffMs?: number;
}

export interface CollectedBody {
  readonly contentType: 'application/json' | 'application/x-ndjson';
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * - `accepted`: the log has it on stable storage; the receivers counted its objects.
 * - `refused`: the receivers refuse it however often it comes (400, 413).
 * - `stopped`: the signal came first; the log may or may not have it.
 */
export type Delivered =
  | { readonly kind: 'accepted'; readonly accepted: number; readonly quarantined: number }
  | { readonly kind: 'refused'; readonly status: number; readonly code: string }
  | { readonly kind: 'stopped' };

export interface Delivery {
  /**
   * Posts a body, gzipped, until the receivers accept or refuse it. 408, 429, 5xx and broken connections are retried
   * after the wait that the answer asks for. Throws AUTH_INVALID for an unknown token, USAGE_INVALID for an unknown
   * route, STORE_UNAVAILABLE when the patience ends or the answer does not come from a receiver.
   */
  post(path: string, body: CollectedBody): Promise<Delivered>;
}

/** How long one body is tried again. */
const PATIENCE_MS = 300_000;
/** The wait before the second attempt. */
const FIRST_BACKOFF_MS = 250;
/** The longest wait between two attempts, unless the receivers ask for more. */
const MAX_BACKOFF_MS = 5_000;
const REFUSED: ReadonlySet<number> = new Set([400, 413]);
const gzipped = promisify(gzip);

export function openDelivery(target: DeliveryTarget): Delivery {
  const { to, token, clock, signal, patienceMs = PATIENCE_MS, firstBackoffMs = FIRST_BACKOFF_MS } = target;
  const limits = { firstMs: firstBackoffMs, maxMs: MAX_BACKOFF_MS };
  return {
    post: async (path, { contentType, bytes }) => {
      const url = urlBelow(to, path);
      const body = new Uint8Array(await gzipped(bytes, { level: 1 }));
      const until = performance.now() + patienceMs;
      for (let failures = 1; ; failures += 1) {
        const request = { method: 'POST', token, contentType, contentEncoding: 'gzip', body } as const;
        const answer = await call(url, request).catch(() => undefined);
        if (answer !== undefined && !isTransient(answer)) return judge(url, answer);
        const waitMs = retryAfterMs(answer?.headers.get('retry-after'), clock) ?? backoffMs(failures, limits);
        await answer?.body?.cancel();
        if (performance.now() + waitMs > until) throw notTaken(url, answer);
        await delay(waitMs, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return { kind: 'stopped' };
      }
    },
  };
}

function isTransient({ status }: Response): boolean {
  return status >= 500 || status === 429 || status === 408;
}

const readAnswer = compileValidator(
  Type.Object({
    accepted: Type.Integer(),
    quarantined: Type.Array(Type.Object({ items: Type.Optional(Type.Integer()) })),
  }),
);
const readProblem = compileValidator(
  Type.Object({ code: Type.String(), detail: Type.Optional(Type.String()) }),
);

async function judge(url: string, answer: Response): Promise<Delivered> {
  const { status } = answer;
  const text = await answer.text();
  if (status === 200) {
    const read = parseAs(readAnswer, text);
    if (read === undefined) throw unusable(`${url} did not answer like a receiver`);
    const quarantined = read.quarantined.reduce((sum, { items = 1 }) => sum + items, 0);
    return { kind: 'accepted', accepted: read.accepted, quarantined };
  }
  const problem = parseAs(readProblem, text);
  const code = problem?.code ?? `HTTP_${String(status)}`;
  if (REFUSED.has(status)) return { kind: 'refused', status, code };
  if (status === 401 || status === 403) {
    throw new PipelineError('AUTH_INVALID', `${url} does not accept the token of AFFIDAVIT_COLLECTOR_TOKEN`);
  }
  if (status === 404) throw unknownRoute(url, problem);
  throw unusable(`${url} answered ${String(status)} ${code}`);
}

/** The receivers say which gateways they know. Any other server was not meant. */
function unknownRoute(url: string, problem: { readonly detail?: string } | undefined): PipelineError {
  const detail = `${url} does not exist${problem?.detail === undefined ? '' : `: ${problem.detail}`}`;
  return new PipelineError('USAGE_INVALID', detail, {
    hint: 'check the name of the gateway, and --to, which is the base URL of the receivers',
  });
}

function notTaken(url: string, answer: Response | undefined): PipelineError {
  return unusable(`${url} ${answer === undefined ? 'does not answer' : `answers ${String(answer.status)}`}`);
}

function unusable(detail: string): PipelineError {
  return new PipelineError('STORE_UNAVAILABLE', detail);
}
