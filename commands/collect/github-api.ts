/** GitHub's REST API as collectors read it: pages by the Link header, within its rate limits, with a token of a file. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../app/paths.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { retryAfterMs } from '../retry-after.ts';

export interface GithubApiOptions {
  /** Base URL: `https://api.github.com`, of an enterprise server `https://HOST/api/v3`. */
  readonly apiUrl: string;
  /** Holds a token, or a JSON web token of an app. */
  readonly tokenFile: string;
}

/** One page of a list, as it came. */
export interface GithubPage {
  readonly bytes: Buffer<ArrayBuffer>;
  /** Of the page after it; undefined for the last. */
  readonly next: URL | undefined;
}

export interface GithubApi {
  /** The address of a path below the base. */
  urlOf(path: string, query?: Readonly<Record<string, string>>): URL;
  /** Throws STORE_UNAVAILABLE for whatever is no page. */
  page(url: URL): Promise<GithubPage>;
  /** Asks for something to be done; resolves with the status, whichever it is. */
  ask(url: URL): Promise<number>;
}

/** Longer waits are left to the next run. */
const MAX_WAIT_MS = 5 * 60_000;
const ATTEMPTS = 4;
const FIRST_BACKOFF_MS = 1_000;
const TIMEOUT_MS = 60_000;

export async function openGithubApi(
  { apiUrl, tokenFile }: GithubApiOptions,
  {
    signal,
    firstBackoffMs = FIRST_BACKOFF_MS,
  }: { readonly signal: AbortSignal; readonly firstBackoffMs?: number },
): Promise<GithubApi> {
  const token = (await readFile(tokenFile, 'utf8')).trim();
  const base = apiUrl.replace(/\/+$/, '');

  async function call(url: URL, method: 'GET' | 'POST'): Promise<Response> {
    let backoffMs = firstBackoffMs;
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      const answer = await fetchOnce(url, method, token);
      const waitMs = waitOf(answer, backoffMs);
      if (answer !== undefined && waitMs === undefined) return answer;
      await answer?.body?.cancel();
      if (attempt === ATTEMPTS || (waitMs ?? 0) > MAX_WAIT_MS) throw unavailable(url, answer);
      await delay(waitMs, undefined, { signal });
      backoffMs *= 2;
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

/** Undefined if there was no answer. Redirects are not followed: they would take the token along. */
function fetchOnce(url: URL, method: string, token: string): Promise<Response | undefined> {
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/vnd.github+json',
    'user-agent': 'affidavit',
  };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return fetch(url, { method, headers, signal, redirect: 'manual' }).catch(() => undefined);
}

/**
 * How long to wait before the same request is sent again; undefined for an answer that stands. Limits are told by
 * 403 or 429, with `retry-after`, or with nothing remaining until `x-ratelimit-reset`.
 */
function waitOf(answer: Response | undefined, backoffMs: number): number | undefined {
  if (answer === undefined || answer.status >= 500) return backoffMs;
  if (answer.status !== 403 && answer.status !== 429) return undefined;
  const told = retryAfterMs(answer.headers.get('retry-after'));
  if (told !== undefined) return told;
  if (answer.headers.get('x-ratelimit-remaining') === '0') {
    return Math.max(Number(answer.headers.get('x-ratelimit-reset')) * 1000 - systemClock(), 0);
  }
  return answer.status === 429 ? backoffMs : undefined;
}

/** Throws STORE_UNAVAILABLE for an address elsewhere, which must not get the token. */
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
