import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { ReceiverOptions } from '../../../ingest/receivers/app.ts';
import { startReceivers, type RunningReceivers } from '../../../ingest/receivers/serve.ts';
import { JSON_HEADERS, TOKEN, prepareBench, type Bench } from './setup.ts';

const HOOK = '/v1/hooks/claude-code';
const LIMITS = { maxBodyBytes: 100_000, maxInflatedBytes: 300_000 };

interface Answer {
  readonly status: number;
  readonly code: string;
}

/** A JSON object of exactly `length` bytes. */
const jsonOf = (length: number): string => `{"a":"${'x'.repeat(length - 8)}"}`;

describe('receivers on real sockets', () => {
  let running: RunningReceivers | undefined;
  const agents: Agent[] = [];

  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.destroy();
    await running?.close();
  });

  async function start(overrides: Parameters<typeof prepareBench>[0] = {}): Promise<Bench> {
    const bench = prepareBench({ limits: LIMITS, ...overrides });
    running = await startReceivers(bench.options, { host: '127.0.0.1', port: 0 });
    return bench;
  }

  function newAgent(): Agent {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    return agent;
  }

  /** Sends `pieces` one by one; chunked unless the headers give a length. */
  async function send(
    pieces: Iterable<string | Buffer>,
    options: { headers?: Record<string, string | number>; agent?: Agent } = {},
  ): Promise<Answer> {
    const headers: Record<string, string | number> = { ...JSON_HEADERS, ...(options.headers ?? {}) };
    const { port } = running!;
    const call = request({ host: '127.0.0.1', port, path: HOOK, method: 'POST', ...options, headers });
    const answered = once(call, 'response') as Promise<[IncomingMessage]>;
    for (const piece of pieces) call.write(piece);
    call.end();
    const [response] = await answered;
    let text = '';
    for await (const chunk of response) text += String(chunk);
    const document = JSON.parse(text) as { code?: string };
    return { status: response.statusCode!, code: document.code ?? '' };
  }

  async function openSocket(): Promise<Socket> {
    const socket = connect(running!.port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  }

  const rawHead = (length: number): string =>
    `POST ${HOOK} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

  it('takes a body of exactly the limit, by length and chunked, and none that is one byte larger', async () => {
    const bench = await start();
    const full = jsonOf(LIMITS.maxBodyBytes);
    const over = jsonOf(LIMITS.maxBodyBytes + 1);
    expect(await send([full], { headers: { 'content-length': full.length } })).toEqual({
      status: 200,
      code: '',
    });
    expect(await send([full.slice(0, 10), full.slice(10)])).toEqual({ status: 200, code: '' });
    const refusal = { status: 413, code: 'BODY_TOO_LARGE' };
    expect(await send([over], { headers: { 'content-length': over.length } })).toEqual(refusal);
    expect(await send([over.slice(0, 10), over.slice(10)])).toEqual(refusal);
    expect(bench.appended.map((one) => one.body.byteLength)).toEqual([full.length, full.length]);
  });

  it('refuses a declared length over the limit before the body is sent', async () => {
    await start();
    const socket = await openSocket();
    socket.write(rawHead(5_000_000_000));
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('takes gzip that inflates to exactly the limit, and none that passes it by a byte', async () => {
    await start();
    const headers = { 'content-encoding': 'gzip' };
    expect((await send([gzipSync(jsonOf(LIMITS.maxInflatedBytes))], { headers })).status).toBe(200);
    const over = gzipSync(jsonOf(LIMITS.maxInflatedBytes + 1));
    expect(await send([over], { headers })).toEqual({ status: 413, code: 'BODY_INFLATES_TOO_LARGE' });
  });

  it('stops inflating a bomb at the limit and never holds more than that', async () => {
    // 80 MiB of zeros in about 80 kB on the wire.
    const member = gzipSync(Buffer.alloc(16 * 1024 * 1024), { level: 9 });
    const bomb = Buffer.concat(Array.from({ length: 5 }, () => member));
    const bench = await start();
    let highest = 0;
    const { counters } = bench.options;
    let held = 0;
    Object.defineProperty(counters, 'inFlightBytes', {
      get: () => held,
      set: (value: number) => {
        held = value;
        highest = Math.max(highest, value);
      },
    });
    const headers = { 'content-encoding': 'gzip' };
    expect(await send([bomb], { headers })).toEqual({ status: 413, code: 'BODY_INFLATES_TOO_LARGE' });
    expect(highest).toBeLessThanOrEqual(LIMITS.maxInflatedBytes);
    expect(held).toBe(0);
    expect(bench.appended).toEqual([]);
  });

  const gzipped = gzipSync(jsonOf(5000));
  const broken: [string, Buffer][] = [
    ['cut short', gzipped.subarray(0, gzipped.length - 12)],
    ['without its trailer', gzipped.subarray(0, gzipped.length - 1)],
    ['cut inside its header', gzipped.subarray(0, 5)],
    ['with a wrong checksum', Buffer.from(gzipped).fill(0, gzipped.length - 8, gzipped.length - 4)],
    ['followed by garbage', Buffer.concat([gzipped, Buffer.from('garbage')])],
    ['that is zlib', Buffer.from('789c030000000001', 'hex')],
  ];

  it.each(broken)('refuses gzip %s', async (_name, body) => {
    const bench = await start();
    const headers = { 'content-encoding': 'gzip' };
    expect(await send([body], { headers })).toEqual({ status: 400, code: 'BODY_MALFORMED' });
    expect(
      await send(
        [...body].map((byte) => Buffer.from([byte])),
        { headers },
      ),
    ).toMatchObject({ status: 400 });
    expect(bench.appended).toEqual([]);
  });

  it('takes gzip of several members, byte by byte', async () => {
    const bench = await start();
    const body = Buffer.concat([gzipSync('{"a":'), gzipSync('1}')]);
    const pieces = [...body].map((byte) => Buffer.from([byte]));
    expect((await send(pieces, { headers: { 'content-encoding': 'gzip' } })).status).toBe(200);
    expect(Buffer.from(bench.appended[0]!.body).toString()).toBe('{"a":1}');
  });

  it('reads on after a refusal, so that the same connection serves the next request', async () => {
    await start();
    const agent = newAgent();
    const over = jsonOf(LIMITS.maxBodyBytes * 20);
    expect((await send([over], { agent })).status).toBe(413);
    const bad = [gzipSync(Buffer.alloc(2_000_000)), Buffer.alloc(90_000)];
    expect((await send(bad, { agent, headers: { 'content-encoding': 'gzip' } })).status).toBe(413);
    expect((await send([over], { agent, headers: { authorization: 'Bearer no' } })).status).toBe(401);
    expect((await send(['{}'], { agent })).status).toBe(200);
  });

  it('keeps nothing of a request whose sender goes away inside the body', async () => {
    const bench = await start();
    for (const encoding of ['', 'Content-Encoding: gzip\r\n']) {
      const socket = await openSocket();
      const refused = bench.options.counters.refused.BODY_MALFORMED ?? 0;
      socket.write(rawHead(1000).replace('\r\n\r\n', `\r\n${encoding}\r\n`));
      socket.write(encoding === '' ? '{"a":' : gzipped.subarray(0, 20));
      await expect.poll(() => bench.options.counters.requests).toBeGreaterThan(refused);
      socket.destroy();
      await expect.poll(() => bench.options.counters.refused.BODY_MALFORMED).toBe(refused + 1);
    }
    expect(bench.appended).toEqual([]);
    expect(bench.options.counters.inFlightBytes).toBe(0);
    expect((await send(['{}'])).status).toBe(200);
  });

  it('pushes back with 503 when all requests together hold too much', async () => {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const bench = await start({
      limits: {
        ...LIMITS,
        maxInFlightBytes: 150_000,
        maxInFlightPerCollectorBytes: 200_000,
      } satisfies ReceiverOptions['limits'],
      append: () => released,
    });
    const first = send([jsonOf(90_000)]);
    await expect.poll(() => bench.options.counters.inFlightBytes).toBe(90_000);
    expect(await send([jsonOf(90_000)])).toEqual({ status: 503, code: 'LOG_PUSHBACK' });
    release();
    expect((await first).status).toBe(200);
    expect((await send([jsonOf(90_000)])).status).toBe(200);
    expect(bench.options.counters.inFlightBytes).toBe(0);
  });

  it('answers a broken request line with 400 and goes on', async () => {
    await start();
    const socket = await openSocket();
    socket.write('nonsense\r\n\r\n');
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 400 /);
    expect((await send(['{}'])).status).toBe(200);
  });
});
