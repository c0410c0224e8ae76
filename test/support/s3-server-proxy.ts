/** A proxy before a real S3 server that breaks chosen requests: not passed on, passed on and unanswered, cut, changed. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface S3Fault {
  /** `PUT`, `GET`, `HEAD`, `POST`. */
  readonly method: string;
  /** Requests whose path and query hold this. */
  readonly url?: string;
  /**
   * - a number: that status, the request is not passed on
   * - a function: it is awaited before the request is passed on
   * - `reset-before`, `reset-after`: the connection is cut before or after the server has done what was asked
   * - `status-after`: 500 although the server has done what was asked
   * - `silent-before`, `silent-after`: no answer ever comes
   * - `cut-body`, `flip-body`: the answer ends half-way, or one byte in its middle is another
   */
  readonly how:
    | number
    | ((url: string) => Promise<unknown>)
    | 'reset-before'
    | 'reset-after'
    | 'status-after'
    | 'silent-before'
    | 'silent-after'
    | 'cut-body'
    | 'flip-body';
  /** The error code that goes with a status. */
  readonly code?: string;
  /** How many matching requests to hit; all if left out. */
  readonly times?: number;
}

export interface S3Proxy {
  readonly endpoint: string;
  /** Method and path of every request, as they came. */
  readonly requests: string[];
  arm(fault: S3Fault): void;
  /** Called with the path of each object that the server has stored, whatever the client is answered. */
  onStored(listener: (url: string) => void): void;
  /** Forgets faults and requests. */
  reset(): void;
  /** Answers with other headers than the server. */
  changeHeaders(change: ((headers: IncomingMessage['headers']) => void) | undefined): void;
  close(): Promise<void>;
}

export async function startS3Proxy(upstreamPort: number): Promise<S3Proxy> {
  const requests: string[] = [];
  let armed: { fault: S3Fault; left: number }[] = [];
  let stored: (url: string) => void = () => undefined;
  let change: ((headers: IncomingMessage['headers']) => void) | undefined;
  const take = (method: string, url: string) => {
    const hit = armed.find(
      ({ fault, left }) => left > 0 && fault.method === method && url.includes(fault.url ?? ''),
    );
    if (hit !== undefined) hit.left -= 1;
    return hit?.fault;
  };
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const method = incoming.method ?? '';
    const url = incoming.url ?? '';
    requests.push(`${method} ${url}`);
    const body = Buffer.concat((await incoming.toArray()) as Buffer[]);
    const { how, code } = take(method, url) ?? {};
    if (typeof how === 'number') return void outgoing.writeHead(how).end(errorOf(code));
    if (typeof how === 'function') await how(url);
    if (how === 'reset-before') return void outgoing.destroy();
    if (how === 'silent-before') return;
    const answer = await passOn({ port: upstreamPort, incoming, body });
    if (method === 'PUT' && answer.status === 200) stored(url);
    change?.(answer.headers);
    sendAnswer(outgoing, answer, how);
  };
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    requests,
    arm: (fault) => void armed.push({ fault, left: fault.times ?? Infinity }),
    onStored: (listener) => void (stored = listener),
    reset() {
      armed = [];
      change = undefined;
      requests.length = 0;
    },
    changeHeaders: (wanted) => void (change = wanted),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function sendAnswer(outgoing: ServerResponse, answer: Answer, how: S3Fault['how'] | undefined): void {
  if (how === 'reset-after') return void outgoing.destroy();
  if (how === 'silent-after') return;
  if (how === 'status-after') return void outgoing.writeHead(500).end();
  const bytes = how === 'flip-body' ? flipped(answer.body) : answer.body;
  outgoing.writeHead(answer.status, answer.headers);
  if (how !== 'cut-body') return void outgoing.end(bytes);
  outgoing.write(bytes.subarray(0, bytes.length / 2), () => outgoing.destroy());
}

function errorOf(code: string | undefined): string | undefined {
  if (code === undefined) return undefined;
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>as the test wants it</Message></Error>`;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** The signature covers the Host header, which is that of the proxy; the server takes it as it comes. */
async function passOn(options: { port: number; incoming: IncomingMessage; body: Buffer }): Promise<Answer> {
  const { port, incoming, body } = options;
  const { method, url: path, headers } = incoming;
  const upstream = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  upstream.end(body);
  const [answer] = (await once(upstream, 'response')) as [IncomingMessage];
  const bytes = Buffer.concat((await answer.toArray()) as Buffer[]);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: bytes };
}

function flipped(bytes: Buffer): Buffer {
  const middle = Math.floor(bytes.length / 2);
  return Buffer.from(bytes.with(middle, (bytes[middle] ?? 0) ^ 1));
}
