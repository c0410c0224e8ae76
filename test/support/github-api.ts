import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export const GITHUB_TOKEN = 'github-token-canary-4714';

interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

/** A GitHub that pages a list as documented, by the Link header. The list spells numbers of any length `'<NUMBER>'`. */
export async function startGithub(
  path: string,
  list: () => readonly unknown[],
  { pageSize = 2, cursor = 'cursor' } = {},
) {
  const asked: { method: string; url: URL }[] = [];
  const state: {
    refuse: (count: number, request: IncomingMessage) => Answer | undefined;
    onPost: (url: URL) => number;
  } = { refuse: () => undefined, onPost: () => 202 };

  const answer = (request: IncomingMessage, url: URL): Answer => {
    if (request.headers.authorization !== `Bearer ${GITHUB_TOKEN}`) return { status: 401 };
    const refused = state.refuse(asked.length, request);
    if (refused !== undefined) return refused;
    if (request.method === 'POST') return { status: state.onPost(url), body: {} };
    if (url.pathname !== path) return { status: 404 };
    const start = Number(url.searchParams.get(cursor) ?? 0);
    const all = list();
    const next = new URL(url);
    next.searchParams.set(cursor, String(start + pageSize));
    const links = [
      `<${url.href}>; rel="prev"`,
      ...(start + pageSize < all.length ? [`<${next.href}>; rel="next"`] : []),
    ];
    return { headers: { link: links.join(', ') }, body: all.slice(start, start + pageSize) };
  };

  const server: Server = createServer((request, response) => {
    const url = new URL(request.url!, `http://${request.headers.host!}`);
    asked.push({ method: request.method!, url });
    const { status = 200, headers = {}, body } = answer(request, url);
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? '' : JSON.stringify(body).replaceAll(/"<([0-9]+)>"/g, '$1'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    asked,
    state,
    close: () => server.close(),
  };
}
