import { PipelineError } from '../schemas/errors.ts';

export interface Call {
  readonly method?: 'GET' | 'POST';
  readonly token: string;
  readonly contentType?: string;
  readonly body?: Uint8Array<ArrayBuffer> | string;
}

const TIMEOUT_MS = 60_000;

/** One request with a bearer token. Rejects with STORE_UNAVAILABLE if nobody answers; any status is an answer. */
export async function call(
  url: string,
  { method = 'GET', token, contentType, body }: Call,
): Promise<Response> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
  };
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    return await fetch(url, { method, headers, signal, ...(body === undefined ? {} : { body }) });
  } catch (cause) {
    throw new PipelineError('STORE_UNAVAILABLE', `${url} does not answer`, { cause });
  }
}

/** Passes an answer with the expected status on; throws with the problem's own words otherwise. */
export async function expectStatus(answer: Response, status: number): Promise<Response> {
  if (answer.status === status) return answer;
  const problem = await answer.text();
  throw new PipelineError('STORE_UNAVAILABLE', `${answer.url} answered ${String(answer.status)}: ${problem}`);
}
