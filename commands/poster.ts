import http from 'node:http';
import https from 'node:https';
import { PipelineError } from '../schemas/errors.ts';

export interface Post {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** Posts thousands of requests a second over kept connections, for which `fetch` costs too much. */
export interface Poster {
  /** Resolves with an answer of any status. Rejects with STORE_UNAVAILABLE if nobody answers. */
  post(request: Post): Promise<Answer>;
  close(): void;
}

/** How long the receivers may take for an answer. */
const REQUEST_TIMEOUT_MS = 60_000;

export function openPoster(baseUrl: string, token: string, connections: number): Poster {
  const { protocol, hostname, port, pathname } = new URL(baseUrl);
  const { Agent, request } = protocol === 'https:' ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const prefix = pathname.replace(/\/$/, '');
  const common = {
    agent,
    method: 'POST',
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port,
    timeout: REQUEST_TIMEOUT_MS,
  };

  function exchange({ path, contentType, body }: Post): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': contentType,
        'content-length': body.length,
      };
      const sent = request({ ...common, path: prefix + path, headers }, (answer) => {
        answer.on('error', reject);
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, retryAfter: answer.headers['retry-after'] });
        });
        // An answer must be read to its end before its connection can be used again.
        answer.resume();
      });
      sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.on('error', reject);
      sent.end(body);
    });
  }

  return {
    post: (request) =>
      exchange(request).catch((cause: unknown) => {
        throw new PipelineError('STORE_UNAVAILABLE', `${baseUrl}${request.path} does not answer`, { cause });
      }),
    close: () => agent.destroy(),
  };
}
