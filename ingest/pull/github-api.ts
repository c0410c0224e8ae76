/** GitHub's REST API as collectors read it: pages by the Link header, within its rate limits. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { backoffMs, retryAfterMs } from '../send/retry-waits.ts';

export interface GithubApiOptions {
  /** Base URL: `https://api.github.com`, of an enterprise server `https://HOST/api/v3`. */
  readonly apiUrl: string;
  /** A token, or a JSON web token of an app. */
  readonly token: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The wait before the second attempt; each later wait is twice as long. @default 1000 */
  readonly firstBackoffMs?: number;
}

/** One page of a list, with the bytes that GitHub sent. */
export interface GithubPage {
  readonly bytes: Buffer<ArrayBuffer>;
  /** Address of the next page; undefined for the last page. */
  readonly next: URL | undefined;
}

export interface GithubApi {
  /** The address of a path below the base. */
  urlOf(path: string, query?: Readonly<Record<string, string>>): URL;
  /** Throws STORE_UNAVAILABLE for an answer that is not a page. */
  page(url: URL): Promise<GithubPage>;
  /** Posts a request without a body. Resolves with the status, whichever it is. */
  ask(url: URL): Promise<number>;
}

/** If GitHub asks for a longer wait, the run ends and the next run goes on. */
const MAX_WAIT_MS = 5 * 60_000;
/** Requests for one page, the first included. */
const MAX_ATTEMPTS = 4;
/** The wait before the second attempt. */
const FIRST_BACKOFF_MS = 1_000;
/** How long GitHub may take for one answer. */
const REQUEST_TIMEOUT_MS = 60_000;

export function openGithubApi(options: GithubApiOptions): GithubApi {
  const { apiUrl, token, clock, signal, firstBackoffMs = FIRST_BACKOFF_MS } = options;
  const base = apiUrl.replace(/\/+$/, '');

  async function call(url: URL, method: 'GET' | 'POST'): Promise<Response> {
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      const answer = await fetchOnce(url, method, token);
      const waitMs = waitOf(answer, backoffMs(attempt, { firstMs: firstBackoffMs }), clock);
      if (answer !== undefined && waitMs === undefined) return answer;
      await answer?.body?.cancel();
      if (attempt === MAX_ATTEMPTS || (waitMs ?? 0) > MAX_WAIT_MS) throw unavailable(url, answer);
      await delay(waitMs, undefined, { signal });
    }
  }

  return {
    urlOf: (path, query = {}) => {
      const url = new URL(`${base}${path}`);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      return url;
    },
    page: async (url) => {
      const answer = await call(url, 'GET');
      if (answer.status !== 200) throw unavailable(url, answer);
      const bytes = Buffer.from(await answer.arrayBuffer());
      return { bytes, next: nextOf(answer.headers.get('link'), url) };
    },
    ask: async (url) => {
      const answer = await call(url, 'POST');
      await answer.body?.cancel();
      return answer.status;
    },
  };
}

/** Undefined if nobody answered. Redirects are not followed, because the token would travel with them. */
function fetchOnce(url: URL, method: string, token: string): Promise<Response | undefined> {
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/vnd.github+json',
    'user-agent': 'affidavit',
  };
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  return fetch(url, { method, headers, signal, redirect: 'manual' }).catch(() => undefined);
}

/**
 * How long to wait before the same request is sent again; undefined for a final answer. GitHub answers 403 or 429
 * beyond a limit, with `retry-after`, or with nothing remaining until `x-ratelimit-reset`.
 */
function waitOf(answer: Response | undefined, ownWaitMs: number, clock: Clock): number | undefined {
  if (answer === undefined || answer.status >= 500) return ownWaitMs;
  if (answer.status !== 403 && answer.status !== 429) return undefined;
  const askedMs = retryAfterMs(answer.headers.get('retry-after'), clock);
  if (askedMs !== undefined) return askedMs;
  if (answer.headers.get('x-ratelimit-remaining') === '0') {
    return Math.max(Number(answer.headers.get('x-ratelimit-reset')) * 1000 - clock(), 0);
  }
  return answer.status === 429 ? ownWaitMs : undefined;
}

/** Throws STORE_UNAVAILABLE for an address on another host, which must not get the token. */
function nextOf(header: string | null, asked: URL): URL | undefined {
  const link = (header ?? '').split(',').find((one) => /;\s*rel="?next"?/.test(one));
  const address = /<([^>]*)>/.exec(link ?? '')?.[1];
  if (address === undefined) return undefined;
  const next = new URL(address, asked);
  if (next.origin === asked.origin) return next;
  throw new PipelineError('STORE_UNAVAILABLE', `${asked.origin} leads on to ${next.origin}`);
}

function unavailable(url: URL, answer: Response | undefined): PipelineError {
  const what = answer === undefined ? 'does not answer' : `answered ${String(answer.status)}`;
  return new PipelineError('STORE_UNAVAILABLE', `${url.origin}${url.pathname} ${what}`);
}
