import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface Taken {
  readonly path: string;
  readonly contentType: string;
  /** As it was after inflation. */
  readonly text: string;
}

export interface Stub {
  readonly url: string;
  /** Bodies that were answered with 200, in order. */
  readonly taken: Taken[];
  /** Paths of all requests, taken or not, in order. */
  readonly paths: readonly string[];
  /** Number of all requests, taken or not. */
  readonly asked: () => number;
  /** Ids of all items that were taken by a gateway's route, in order. */
  readonly ids: () => string[];
  /** The records of runs that were taken. */
  readonly pulled: () => Record<string, unknown>[];
  close(): Promise<void>;
}

/**
 * What happens to a request instead of being taken: a status with headers, a cut connection before it was taken or
 * after, or no answer for ever.
 */
export type Mishap =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: object }
  | 'cut_before'
  | 'cut_after'
  | 'hang_before'
  | 'hang_after';

/** Receivers as a collector sees them: each line or element of an array is an item. */
export async function startStub(
  mishap: (request: Taken, count: number) => Mishap | undefined = () => undefined,
): Promise<Stub> {
  const taken: Taken[] = [];
  const paths: string[] = [];
  let count = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = gunzipSync(Buffer.concat(chunks)).toString();
      const body = { path: request.url!, contentType: request.headers['content-type']!, text };
      count += 1;
      paths.push(body.path);
      const met = mishap(body, count);
      if (met === undefined || met === 'cut_after' || met === 'hang_after') taken.push(body);
      if (met === 'hang_before' || met === 'hang_after') return;
      if (met === 'cut_before' || met === 'cut_after') {
        request.socket.destroy();
        return;
      }
      response.writeHead(met?.status ?? 200, { 'content-type': 'application/json', ...met?.headers });
      response.end(
        JSON.stringify(met === undefined ? { accepted: itemsOf(body).length, quarantined: [] } : met.body),
      );
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const items = () => taken.filter(({ path }) => path.startsWith('/v1/gateways/')).flatMap(itemsOf);
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    taken,
    paths,
    asked: () => count,
    ids: () => items().map(({ id }) => String(id)),
    pulled: () =>
      taken
        .filter(({ path }) => path === '/v1/events')
        .map(({ text }) => (JSON.parse(text) as { content: Record<string, unknown> }).content),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function itemsOf({ contentType, text }: Taken): { readonly id?: unknown }[] {
  const values =
    contentType === 'application/x-ndjson'
      ? text
          .split('\n')
          .filter((line) => line.trim() !== '')
          .map((line) => JSON.parse(line) as unknown)
      : [JSON.parse(text) as unknown].flat();
  return values as { readonly id?: unknown }[];
}
