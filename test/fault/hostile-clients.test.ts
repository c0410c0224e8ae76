import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COLLECTOR_TOKEN, makeTempDir, post, startServer, type TestServer } from '../support/server.ts';

const HOOK = '/v1/hooks/claude-code';
const MIB = 1024 * 1024;
/** What a server at rest holds is mostly its two engines; this much more is what one attack may take. */
const MAX_GROWTH_BYTES = 500 * MIB;
const GOOD_REQUEST_DEADLINE_MS = 5_000;

let server: TestServer;
let folder: Awaited<ReturnType<typeof makeTempDir>>;
let sockets: Socket[] = [];

beforeAll(async () => {
  folder = await makeTempDir();
  server = await startServer(folder.path, { AFFIDAVIT_LOG_LEVEL: 'error' });
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  expect(await server.stop()).toBe(0);
  await folder.remove();
});

async function residentBytes(): Promise<number> {
  const status = await readFile(`/proc/${String(server.process.pid)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

async function openSocket(): Promise<Socket> {
  const { hostname, port } = new URL(server.ingestUrl);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

const openSockets = (count: number) => Promise.all(Array.from({ length: count }, openSocket));

const head = (more: string, token = COLLECTOR_TOKEN): string =>
  `POST ${HOOK} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${more}\r\n`;

const tiny = head('Content-Length: 2\r\n') + '{}';

let serial = 0;
const goodPost = () =>
  post(server, {
    path: HOOK,
    contentType: 'application/json',
    body: `{"session_id":"good-${String((serial += 1))}"}`,
  });

/** Runs an attack while a well-behaved client sends on; gives the statuses that one got and the memory taken. */
async function besides(attack: () => Promise<void>) {
  const before = await residentBytes();
  let highest = before;
  let slowestMs = 0;
  let isOver = false;
  const statuses = new Set<number>();
  const watch = async () => {
    do {
      const startedMs = performance.now();
      const answer = await goodPost();
      statuses.add(answer.status);
      await answer.arrayBuffer();
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      highest = Math.max(highest, await residentBytes());
      await delay(20);
    } while (!isOver);
  };
  const watching = watch();
  await attack();
  isOver = true;
  await watching;
  for (const socket of sockets.splice(0)) socket.destroy();
  sockets = [];
  return { statuses: [...statuses], grownBytes: highest - before, slowestMs };
}

function expectServed({ statuses, grownBytes, slowestMs }: Awaited<ReturnType<typeof besides>>): void {
  expect(statuses).toEqual([200]);
  expect(grownBytes).toBeLessThan(MAX_GROWTH_BYTES);
  expect(slowestMs).toBeLessThan(GOOD_REQUEST_DEADLINE_MS);
}

async function drip(text: string, forMs: number, count: number): Promise<void> {
  const dripping = await openSockets(count);
  const untilMs = performance.now() + forMs;
  for (let at = 0; performance.now() < untilMs; at += 1) {
    for (const socket of dripping) socket.write(text[at % text.length]!);
    await delay(200);
  }
}

describe.skipIf(process.platform !== 'linux')(
  'a well-behaved client is served, in bounded memory, besides',
  () => {
    it('300 that drip a header', async () => {
      expectServed(await besides(() => drip('GET / HTTP/1.1\r\nx: y\r\n', 1_500, 300)));
    });

    it('300 that drip a body', async () => {
      const attack = async () => {
        const dripping = await openSockets(300);
        for (const socket of dripping) socket.write(head('Content-Length: 100000\r\n'));
        for (let round = 0; round < 8; round += 1) {
          for (const socket of dripping) socket.write(' ');
          await delay(150);
        }
      };
      expectServed(await besides(attack));
    });

    it('3,000 that connect and say nothing, which is more than there is room for', async () => {
      const attack = async () => {
        for (let round = 0; round < 30; round += 1) await openSockets(100);
        await delay(500);
      };
      expectServed(await besides(attack));
    });

    it('one that sends 10,000 tiny requests at once and reads the answers', async () => {
      const answered = new Map<string, number>();
      const attack = async () => {
        const [socket] = await openSockets(1);
        let text = '';
        let total = 0;
        const done = new Promise<void>((resolve) => {
          socket!.on('data', (piece) => {
            text += piece.toString('latin1');
            const found = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)];
            for (const [, status] of found) answered.set(status!, (answered.get(status!) ?? 0) + 1);
            total += found.length;
            const last = found.at(-1);
            if (last !== undefined) text = text.slice(last.index + last[0].length);
            if (total === 10_000) resolve();
          });
        });
        socket!.write(tiny.repeat(10_000));
        await done;
      };
      expectServed(await besides(attack));
      expect([...answered.keys()].filter((status) => status !== '200' && status !== '429')).toEqual([]);
      expect([...answered.values()].reduce((sum, count) => sum + count, 0)).toBe(10_000);
    });

    it.each([
      ['with its token', COLLECTOR_TOKEN],
      ['with none that is known', 'nonsense'],
    ])('ten that send requests for ever and read no answer, %s', async (_, token) => {
      const one = head('Content-Length: 2\r\n', token) + '{}';
      const attack = async () => {
        const deaf = await openSockets(10);
        for (const socket of deaf) {
          socket.pause();
          socket.write(one.repeat(20_000));
        }
        await delay(1_500);
      };
      const outcome = await besides(attack);
      expect(outcome.statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
      expect(outcome.grownBytes).toBeLessThan(MAX_GROWTH_BYTES);
      await expect.poll(async () => (await goodPost()).status, { timeout: 10_000 }).toBe(200);
    });

    it('forty that send gzip bombs, plain and in many members', async () => {
      const member = gzipSync(Buffer.alloc(8 * MIB), { level: 9 });
      const bombs = [
        gzipSync(Buffer.alloc(80 * MIB), { level: 9 }),
        Buffer.concat(Array.from({ length: 12 }, () => member)),
      ];
      const statuses = new Set<number>();
      const attack = async () => {
        await Promise.all(
          Array.from({ length: 40 }, async (_, index) => {
            const body = new Uint8Array(bombs[index % 2]!);
            const headers = { 'content-encoding': 'gzip' };
            statuses.add(
              (await post(server, { path: '/v1/logs', contentType: 'application/json', body, headers }))
                .status,
            );
          }),
        );
      };
      const outcome = await besides(attack);
      expect(outcome.statuses.filter((status) => ![200, 429, 503].includes(status))).toEqual([]);
      expect([...statuses].filter((status) => ![413, 429, 503].includes(status))).toEqual([]);
      expect(outcome.grownBytes).toBeLessThan(MAX_GROWTH_BYTES + 256 * MIB);
      expect((await goodPost()).status).toBe(200);
    });

    it('one that sends fields of ten megabytes, which are kept', async () => {
      const long = 'x'.repeat(10 * MIB);
      const attack = async () => {
        const hook = {
          path: HOOK,
          contentType: 'application/json',
          body: `{"session_id":"s","prompt":"${long}"}`,
        };
        const body = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"b"},"attributes":[{"key":"k","value":{"stringValue":"${long}"}}]}]}]}]}`;
        expect((await post(server, hook)).status).toBe(200);
        expect((await post(server, { path: '/v1/logs', contentType: 'application/json', body })).status).toBe(
          200,
        );
      };
      const outcome = await besides(attack);
      expect(outcome.statuses).toEqual([200]);
    });

    it.each([
      ['a length that is no number', head('Content-Length: x\r\n')],
      ['two lengths', head('Content-Length: 2\r\nContent-Length: 3\r\n') + '{}'],
      ['a length and chunks', head('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n') + '0\r\n\r\n'],
      ['a chunk of no size', head('Transfer-Encoding: chunked\r\n') + 'zz\r\n'],
      ['a chunk beyond all sizes', head('Transfer-Encoding: chunked\r\n') + 'fffffffffffffffff\r\n'],
      [
        'a chunk with an endless extension',
        head('Transfer-Encoding: chunked\r\n') + `2;${'e'.repeat(100_000)}\r\n{}\r\n`,
      ],
      ['a header without end', `POST ${HOOK} HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(50_000)}`],
      ['a name without end', `POST ${HOOK} HTTP/1.1\r\n${'n'.repeat(1_000_000)}`],
    ])('one whose request has %s: it is refused and its connection ends', async (_, text) => {
      const [socket] = await openSockets(1);
      let answer = '';
      socket!.on('data', (piece) => (answer += piece.toString('latin1')));
      // A server that ends the connection while the rest is still on its way may be heard as a reset.
      const closed = new Promise((resolve) => socket!.on('close', resolve));
      socket!.write(text);
      await closed;
      expect(answer).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
      expect((await goodPost()).status).toBe(200);
    });
  },
);
