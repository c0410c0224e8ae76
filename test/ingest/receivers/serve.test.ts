import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedEventLog } from '../../../ingest/embedded/event-log.ts';
import type { EventLog } from '../../../ingest/event-log.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { closeWithin, startReceivers } from '../../../ingest/receivers/serve.ts';
import { consumeCount } from '../../contract/event-log.contract.ts';
import { JSON_HEADERS, prepareBench } from './setup.ts';

const LOCAL = { host: '127.0.0.1', port: 0 };

describe('startReceivers', () => {
  let dir: string;
  let eventLog: EventLog;
  const open = (maxBacklogEnvelopes: number): Promise<EventLog> =>
    openEmbeddedEventLog({ newId: randomUUID, dir, maxBacklogBytes: 1 << 24, maxBacklogEnvelopes });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'affidavit-receivers-'));
    eventLog = await open(20);
  });
  afterEach(async () => {
    await eventLog.close();
    await rm(dir, { recursive: true });
  });

  const post = (port: number, index: number): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/v1/hooks/claude-code`, {
      method: 'POST',
      headers: JSON_HEADERS,
      body: JSON.stringify({ index }),
    });

  it('puts into the log exactly the requests it acknowledged, and says 503 beyond the backlog', async () => {
    const running = await startReceivers(prepareBench({ eventLog }).options, LOCAL);
    const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => post(running.port, index)));
    const accepted = answers.flatMap((answer, index) => (answer.status === 200 ? [index] : []));
    expect(accepted.length).toBe(20);
    expect(answers.filter((answer) => answer.status === 503).length).toBe(10);
    const { envelopes } = await consumeCount(eventLog, 20);
    const kept = envelopes.map(
      ({ envelope }) => (JSON.parse(Buffer.from(envelope.body).toString()) as { index: number }).index,
    );
    expect(kept.sort((a, b) => a - b)).toEqual(accepted);
    expect((await post(running.port, 99)).status).toBe(200);
    await running.close();
  });

  it('answers the requests in hand before it closes, and closes twice', async () => {
    let release: () => void = () => undefined;
    const bench = prepareBench({ append: () => new Promise((resolve) => (release = resolve)) });
    const running = await startReceivers(bench.options, LOCAL);
    const answer = post(running.port, 1);
    await expect.poll(() => bench.options.counters.inFlightBytes).toBeGreaterThan(0);
    const closing = running.close();
    release();
    expect((await answer).status).toBe(200);
    await closing;
    await running.close();
    await expect(post(running.port, 2)).rejects.toThrow();
  });

  it('rejects when the port is taken', async () => {
    const running = await startReceivers(prepareBench({ eventLog }).options, LOCAL);
    const second = startReceivers(prepareBench({ eventLog }).options, { ...LOCAL, port: running.port });
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await running.close();
  });

  it('bounds what a slow or idle sender may hold', () => {
    const app = buildReceivers(prepareBench({ eventLog }).options);
    closeWithin(app, 1);
    const { server } = app;
    expect(server.headersTimeout).toBe(15_000);
    expect(server.requestTimeout).toBe(60_000);
    expect(server.keepAliveTimeout).toBe(65_000);
    expect(server.maxConnections).toBe(2048);
  });

  it('closes a connection that never says anything', async () => {
    const timeouts = { headersMs: 100, requestMs: 100, checkEveryMs: 50 };
    const running = await startReceivers(prepareBench({ eventLog, timeouts }).options, LOCAL);
    const socket = connect(running.port, '127.0.0.1').resume();
    await once(socket, 'close');
    await running.close();
  });

  it('makes room for a new connection by ending the one that has waited longest without a credential', async () => {
    const running = await startReceivers(prepareBench({ eventLog }).options, {
      ...LOCAL,
      maxConnections: 130,
    });
    const sockets = [];
    for (let index = 0; index < 3; index += 1) {
      const socket = connect(running.port, '127.0.0.1').resume();
      await once(socket, 'connect');
      sockets.push(socket);
    }
    const ended = once(sockets[0]!, 'close');
    expect((await post(running.port, 1)).status).toBe(200);
    await ended;
    await running.close();
  });
});
