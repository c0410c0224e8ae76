import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  COLLECTOR_TOKEN,
  getAll,
  makeTempDir,
  post,
  runAffidavit,
  startServer,
  type TestServer,
} from '../support/server.ts';

/** The server's own deadline is 20 s; senders that hang get five of them. */
const STOP_WITHIN_MS = 12_000;

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let server: TestServer;
const sockets: Socket[] = [];
beforeEach(async () => {
  folder = await makeTempDir();
  server = await startServer(folder.path, { AFFIDAVIT_LOG_LEVEL: 'error' });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.process.kill('SIGKILL');
  await folder.remove();
});

async function openSocket(url: string, text: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
}

const BODY_WITHOUT_END =
  `POST /v1/hooks/claude-code HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${COLLECTOR_TOKEN}\r\n` +
  'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{';

/** Posts until the server is gone, and adds the sessions that it acknowledged. */
async function postUntilGone(acknowledged: string[]): Promise<void> {
  let next = 0;
  const sender = async () => {
    for (;;) {
      const session_id = `s-${String((next += 1))}`;
      const body = JSON.stringify({ type: 'stop.test', session_id });
      try {
        const answer = await post(server, { path: '/v1/events', contentType: 'application/json', body });
        if (answer.status === 200) acknowledged.push(session_id);
        await answer.arrayBuffer();
      } catch {
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, sender));
}

describe('a server that is asked to end', () => {
  it('ends well under load and with senders that hang, and has all that it acknowledged', async () => {
    const acknowledged: string[] = [];
    const posting = postUntilGone(acknowledged);
    for (let index = 0; index < 20; index += 1) {
      await openSocket(server.ingestUrl, '');
      await openSocket(server.ingestUrl, BODY_WITHOUT_END);
      await openSocket(server.ingestUrl, 'POST /v1/logs HT');
      await openSocket(server.apiUrl, '');
      await openSocket(server.apiUrl, 'GET /v1/rec');
    }
    await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(50);
    const askedMs = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - askedMs).toBeLessThan(STOP_WITHIN_MS);
    await posting;

    server = await startServer(folder.path, { AFFIDAVIT_LOG_LEVEL: 'error' });
    await server.sealed();
    const records = await getAll<{ facts: { session_id: string } }>(server, '/v1/records?limit=200');
    const sealed = records.map(({ facts }) => facts.session_id);
    expect(new Set(sealed).size).toBe(sealed.length);
    const known = new Set(sealed);
    expect(acknowledged.filter((session_id) => !known.has(session_id))).toEqual([]);
    expect(await server.stop()).toBe(0);
    const verified = await runAffidavit(['verify', join(folder.path, 'archive'), '--json']);
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true });
  });

  it('ends at once where all of its connections are idle', async () => {
    await openSocket(server.ingestUrl, '');
    await openSocket(server.apiUrl, '');
    const askedMs = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - askedMs).toBeLessThan(4_000);
  });

  it('ends though a library left something open that nobody can close', async () => {
    const leftover = encodeURIComponent(
      "import { isMainThread } from 'node:worker_threads'; if (isMainThread) setInterval(() => undefined, 1000);",
    );
    const other = await startServer(join(folder.path, 'other'), {
      NODE_OPTIONS: `--import=data:text/javascript,${leftover}`,
    });
    const ended = await Promise.race([other.stop(), delay(STOP_WITHIN_MS, 'still there')]);
    other.process.kill('SIGKILL');
    expect(ended).toBe(0);
  });

  it('takes two signals that come together for one', async () => {
    server.process.kill('SIGINT');
    server.process.kill('SIGTERM');
    expect(await server.stop()).toBe(0);
  });

  it('ends without waiting when a second signal comes later', async () => {
    await openSocket(server.ingestUrl, BODY_WITHOUT_END);
    await delay(100);
    server.process.kill('SIGTERM');
    await delay(1_200);
    const askedMs = performance.now();
    await server.stop();
    expect(server.process.signalCode).toBe('SIGTERM');
    expect(performance.now() - askedMs).toBeLessThan(2_000);
  });
});
