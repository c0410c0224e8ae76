/** Brings what a collector has read to the receivers. In: bodies. Out: whether the log has them, or why it never will. */
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { systemClock } from '../../app/paths.ts';
import type { Config } from '../../config.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { retryAfterMs } from '../retry-after.ts';

export interface DeliveryTarget {
  /** Base URL of the receivers. */
  readonly to: string;
  readonly token: string;
  /** Ends waits and further attempts; a request in hand is answered first. */
  readonly signal: AbortSignal;
  /** How long one body is tried again. @default 300000 */
  readonly patienceMs?: number;
  /** The wait before the second attempt; each later one is twice as long, up to five seconds. @default 250 */
  readonly firstBackoffMs?: number;
}

export interface CollectedBody {
  readonly contentType: 'application/json' | 'application/x-ndjson';
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * - `accepted`: the log has it on stable storage; counts of its objects as the receivers told them.
 * - `refused`: it will be refused however often it comes (400, 413).
 * - `stopped`: the signal came first; whether the log has it is not known.
 */
export type Delivered =
  | { readonly kind: 'accepted'; readonly accepted: number; readonly quarantined: number }
  | { readonly kind: 'refused'; readonly status: number; readonly code: string }
  | { readonly kind: 'stopped' };

export interface Delivery {
  /**
   * Posts a body, gzipped, until the receivers answer for good: 408, 429, 5xx and broken connections are tried again,
   * after the wait that the answer asks for. Throws AUTH_INVALID for a token that is not known, CONFIG_INVALID where
   * there is no such route, STORE_UNAVAILABLE when patience is at its end or the answer is none of a receiver.
   */
  post(path: string, body: CollectedBody): Promise<Delivered>;
}

const PATIENCE_MS = 300_000;
const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 5_000;
const TIMEOUT_MS = 60_000;
const REFUSED: ReadonlySet<number> = new Set([400, 413]);
const gzipped = promisify(gzip);

export function openDelivery(target: DeliveryTarget): Delivery {
  return {
    post: async (path, { contentType, bytes }) => {
      const url = `${target.to.replace(/\/+$/, '')}${path}`;
      const body = new Uint8Array(await gzipped(bytes, { level: 1 }));
      const until = performance.now() + (target.patienceMs ?? PATIENCE_MS);
      let backoffMs = target.firstBackoffMs ?? FIRST_BACKOFF_MS;
      for (;;) {
        const answer = await ask(url, target.token, { contentType, body });
        if (!isPassing(answer)) return judge(url, answer);
        const waitMs = retryAfterMs(answer?.headers.get('retry-after')) ?? backoffMs;
        await answer?.body?.cancel();
        if (performance.now() + waitMs > until) throw notTaken(url, answer);
        await delay(waitMs, undefined, { signal: target.signal }).catch(() => undefined);
        if (target.signal.aborted) return { kind: 'stopped' };
        backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
      }
    },
  };
}

/** Undefined if there was no answer. */
async function ask(
  url: string,
  token: string,
  { contentType, body }: { readonly contentType: string; readonly body: Uint8Array<ArrayBuffer> },
): Promise<Response | undefined> {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': contentType,
    'content-encoding': 'gzip',
  };
  const request = { method: 'POST', headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) };
  return fetch(url, request).catch(() => undefined);
}

function isPassing(answer: Response | undefined): answer is undefined | Response {
  if (answer === undefined) return true;
  return answer.status >= 500 || answer.status === 429 || answer.status === 408;
}

const Answer = Type.Object({ accepted: Type.Integer(), quarantined: Type.Array(Type.Unknown()) });
const Problem = Type.Object({ code: Type.String() });

async function judge(url: string, answer: Response | undefined): Promise<Delivered> {
  const status = answer?.status ?? 0;
  const text = await answer?.text();
  if (status === 200) {
    const read = parseAs(Answer, text);
    if (read === undefined) throw unusable(`${url} answered with what is none of a receiver's answers`);
    return { kind: 'accepted', accepted: read.accepted, quarantined: read.quarantined.length };
  }
  const code = parseAs(Problem, text)?.code ?? `HTTP_${String(status)}`;
  if (REFUSED.has(status)) return { kind: 'refused', status, code };
  if (status === 401 || status === 403) {
    const detail = `${url} does not accept the token of AFFIDAVIT_COLLECTOR_TOKEN; it must be a collector token`;
    throw new PipelineError('AUTH_INVALID', detail);
  }
  if (status === 404) throw new PipelineError('CONFIG_INVALID', `there is no ${url}`);
  throw unusable(`${url} answered ${String(status)} ${code}`);
}

function parseAs<Schema extends typeof Answer | typeof Problem>(schema: Schema, text: string | undefined) {
  try {
    return Value.Parse(schema, JSON.parse(text ?? ''));
  } catch {
    return undefined;
  }
}

function notTaken(url: string, answer: Response | undefined): PipelineError {
  return unusable(`${url} ${answer === undefined ? 'does not answer' : `answers ${String(answer.status)}`}`);
}

function unusable(detail: string): PipelineError {
  return new PipelineError('STORE_UNAVAILABLE', detail);
}

/** The token that collectors send with. Throws CONFIG_INVALID where there is none. */
export function requireCollectorToken({ collector_token: token }: Pick<Config, 'collector_token'>): string {
  if (token !== undefined) return token;
  throw new PipelineError('CONFIG_INVALID', '/collector_token is not set');
}

/** What a run tells of itself: `source` says what was pulled, the rest how far it came. Goes to `/v1/events`. */
export function toPulledEvent(source: string, told: object): Buffer<ArrayBuffer> {
  const occurred_at = toInstant(systemClock());
  const content = { source, ...told };
  return Buffer.from(JSON.stringify({ type: 'collector.pulled', occurred_at, content }));
}
