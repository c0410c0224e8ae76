/** One HTTP request with a bearer token, without retries. Connections are kept between requests. */
import { Type } from 'typebox';
import { PipelineError } from '../../schemas/errors.ts';
import { compileValidator, type Validated } from '../../schemas/validate.ts';

export interface Call {
  readonly method?: 'GET' | 'POST';
  readonly token: string;
  readonly contentType?: string;
  /** Set for a body that is compressed. */
  readonly contentEncoding?: 'gzip';
  readonly body?: Uint8Array<ArrayBuffer> | string;
}

/** An answer that takes longer counts as none. */
const REQUEST_TIMEOUT_MS = 60_000;

/** Resolves with an answer of any status. Rejects with STORE_UNAVAILABLE if nobody answers. */
export async function call(
  url: string,
  { method = 'GET', token, contentType, contentEncoding, body }: Call,
): Promise<Response> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    ...(contentEncoding === undefined ? {} : { 'content-encoding': contentEncoding }),
  };
  try {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    return await fetch(url, { method, headers, signal, ...(body === undefined ? {} : { body }) });
  } catch (cause) {
    throw new PipelineError('STORE_UNAVAILABLE', `${url} does not answer`, { cause });
  }
}

const readProblem = compileValidator(Type.Object({ code: Type.String(), detail: Type.String() }));

/**
 * Returns an answer with the expected status. Throws AUTH_INVALID for 401, AUTH_FORBIDDEN for 403, and STORE_UNAVAILABLE
 * with the code and detail of any other answer.
 */
export async function expectStatus(answer: Response, status: number): Promise<Response> {
  if (answer.status === status) return answer;
  const problem = parseAs(readProblem, await answer.text());
  const said = problem === undefined ? '' : `: ${problem.code}: ${problem.detail}`;
  const detail = `${answer.url} answered ${String(answer.status)}${said}`;
  if (answer.status === 401) throw new PipelineError('AUTH_INVALID', detail);
  throw new PipelineError(answer.status === 403 ? 'AUTH_FORBIDDEN' : 'STORE_UNAVAILABLE', detail);
}

/** The JSON value of a text, or undefined if it does not have the shape. */
export function parseAs<T>(check: (value: unknown) => Validated<T>, text: string): T | undefined {
  try {
    const checked = check(JSON.parse(text));
    return checked.ok ? checked.value : undefined;
  } catch {
    return undefined;
  }
}

/** The URL of a path below a base URL, which may end in a slash. */
export function urlBelow(base: string, path: string): string {
  return `${base.replace(/\/+$/, '')}${path}`;
}
