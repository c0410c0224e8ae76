/** Clients of the API on raw sockets: malformed, endless and slow. */
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeWithin } from '../../../ingest/receivers/serve.ts';
import type { Problem } from '../../../schemas/problem.ts';
import { ADMIN_TOKEN, openApiStack, type ApiStack } from '../../support/api-stack.ts';
import { unreachableStore } from '../../support/unreachable-store.ts';

const TIMEOUTS = { headersMs: 400, requestMs: 900, checkEveryMs: 50 };
/** The places that `closeWithin` keeps free, and ten for idle connections. */
const MAX_CONNECTIONS = 138;

let stack: ApiStack;
let close: () => Promise<void>;
let port: number;

beforeAll(async () => {
  stack = await openApiStack(unreachableStore(), { timeouts: TIMEOUTS });
  close = closeWithin(stack.app, 1_000, MAX_CONNECTIONS);
  await stack.app.listen({ host: '127.0.0.1', port: 0 });
  port = (stack.app.server.address() as AddressInfo).port;
});
afterAll(async () => {
  await close();
  await stack.close();
});

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** A server that closes while bytes are still on their way to it may be heard as a reset. */
const untilClosed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));

/** All that the server says until it closes the connection. */
async function answerTo(text: string): Promise<string> {
  const socket = await open();
  let answer = '';
  socket.on('data', (piece) => (answer += piece.toString('latin1')));
  const closed = untilClosed(socket);
  socket.write(text);
  await closed;
  return answer;
}

function problemOf(answer: string): Problem {
  expect(answer).toMatch(/\r\ncontent-type: application\/problem\+json/i);
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as Problem;
}

const LONG = 'x'.repeat(20_000);

describe('the API answers a problem and closes the connection after', () => {
  it.each([
    ['bytes that are not HTTP', 'this is not http\r\n\r\n', 400, 'BODY_MALFORMED'],
    ['an unknown version', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n', 400, 'BODY_MALFORMED'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'BODY_MALFORMED',
    ],
    ['a header without a Host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'BODY_MALFORMED'],
    ['one long header', `GET / HTTP/1.1\r\nHost: x\r\na: ${LONG}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    [
      'many headers',
      `GET / HTTP/1.1\r\nHost: x\r\n${'name: value\r\n'.repeat(2_500)}\r\n`,
      431,
      'HEADERS_TOO_LARGE',
    ],
    ['a long path', `GET /${LONG} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
  ])('%s', async (_, text, status, code) => {
    const answer = await answerTo(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} `));
    expect(problemOf(answer)).toMatchObject({
      status,
      code,
      instance: expect.stringMatching(/^id-/) as string,
    });
  });

  it.each([
    ['nothing', '', TIMEOUTS.headersMs],
    ['half a header', 'GET / HTTP/1.1\r\nHost: x\r\n', TIMEOUTS.headersMs],
    [
      'half a body',
      `POST /v1/evidence-packages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
      TIMEOUTS.requestMs,
    ],
  ])('%s, when the time for it is over', async (_, text, afterMs) => {
    const startedMs = performance.now();
    const answer = await answerTo(text);
    const tookMs = performance.now() - startedMs;
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(problemOf(answer).code).toBe('REQUEST_TIMEOUT');
    expect(tookMs).toBeGreaterThan(afterMs - 100);
    expect(tookMs).toBeLessThan(afterMs + 3_000);
  });
});

it('cuts a client that drips its header byte by byte as early as one that stops', async () => {
  const socket = await open();
  const closed = untilClosed(socket);
  const startedMs = performance.now();
  const drip = setInterval(() => socket.write('a'), 20);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nx: ');
  await closed;
  clearInterval(drip);
  expect(performance.now() - startedMs).toBeLessThan(TIMEOUTS.headersMs + 3_000);
});

it('writes no second answer into one that has begun', async () => {
  const answer = await answerTo(`GET /livez HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n`);
  expect(answer.match(/HTTP\/1\.1 /g)?.length ?? 0).toBeLessThanOrEqual(2);
  expect(answer).not.toMatch(/\{"status":"alive"[^}]*HTTP/);
});

it('closes the connections that idle longest to make room for new ones', async () => {
  const idle = await Promise.all(Array.from({ length: 30 }, open));
  await delay(50);
  const answer = await fetch(`http://127.0.0.1:${String(port)}/livez`);
  expect(answer.status).toBe(200);
  await answer.text();
  const left = await new Promise<number>((resolve, reject) =>
    stack.app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );
  expect(left).toBeLessThanOrEqual(12);
  for (const socket of idle) socket.destroy();
});

it('cuts slow headers after fifteen seconds unless a test says otherwise, as the receivers do', async () => {
  const own = await openApiStack(unreachableStore());
  expect(own.app.server.headersTimeout).toBe(15_000);
  expect(own.app.server.requestTimeout).toBe(60_000);
  expect(own.app.server.keepAliveTimeout).toBe(65_000);
  await own.close();
});
