import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { spawn } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { loadRecordings } from '../../commands/recordings.ts';
import { simulate } from '../../connectors/simulation/simulate.ts';
import type { ToolCall } from '../../schemas/tool-call.ts';
import {
  bareEnvironment,
  COLLECTOR_TOKEN,
  getAll,
  getJson,
  MAIN,
  makeTempDir,
  runAffidavit,
  startServer,
} from '../support/server.ts';

const WITH_TOKEN = { AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN };
const SMALL = ['simulate', '--users', '3', '--denials', '0.3', '--incidents', '0.3', '--seed', 'x'];

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Line {
  readonly path: string;
  readonly content_type: string;
  readonly body?: string;
  readonly body_base64?: string;
  readonly at: string;
}

const bodyOf = ({ body, body_base64 }: Line) =>
  body === undefined ? Buffer.from(body_base64!, 'base64') : Buffer.from(body);

async function linesOf(args: readonly string[]) {
  const { code, stdout, stderr } = await runAffidavit(args);
  expect(code).toBe(0);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  return { lines, stdout, stderr };
}

/** A server of receivers' manners on loopback; `answer` gets each whole body, and status 0 breaks the connection. */
async function startReceiver(
  answer: (request: { path: string; body: Buffer; count: number }) => {
    status: number;
    headers?: Record<string, string>;
  },
): Promise<string> {
  let count = 0;
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      count += 1;
      const { status, headers } = answer({ path: request.url!, body: Buffer.concat(chunks), count });
      if (status === 0) request.socket.destroy();
      else response.writeHead(status, headers).end('{}');
    });
  };
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('affidavit simulate without a target', () => {
  it('writes requests as NDJSON and says on standard error what it made', async () => {
    const { lines, stdout, stderr } = await linesOf([...SMALL, '--json']);
    const summary = JSON.parse(stderr) as Record<string, number>;
    expect(summary).toMatchObject({
      requests: lines.length,
      retries: 0,
      refused: 0,
      finished: true,
      seed: 'x',
    });
    expect(summary['denied']).toBeGreaterThan(0);
    expect(new Set(lines.map(({ path }) => path))).toEqual(
      new Set(['/v1/hooks/claude-code', '/v1/logs', '/v1/metrics']),
    );
    for (const line of lines) expect(bodyOf(line).includes('affidavit')).toBe(true);
    expect((await linesOf([...SMALL, '--json'])).stdout).toBe(stdout);
  });

  it('states the shares that were asked for and those that came out', async () => {
    const { stderr } = await linesOf([...SMALL, '--start', '2027-03-01']);
    expect(stderr).toMatch(/denied +\d+ \([\d.]+ %\), asked for 30 %/);
    expect(stderr).toMatch(/incidents +\d+ \([\d.]+ %\), asked for 30 %/);
  });

  it('ends without a complaint when its reader has seen enough', async () => {
    const child = spawn(process.execPath, [MAIN, 'simulate', '--users', '1000', '--days', '1000']);
    const closed = once(child, 'close');
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await closed).toEqual([0, null]);
  });

  it.each([
    ['no people', ['--users', '0']],
    ['a share beyond 1', ['--denials', '1.5']],
    ['shares that exceed 1 together', ['--denials', '0.6', '--incidents', '0.6']],
    ['a day that does not exist', ['--start', '2026-02-31']],
    ['a target that is no URL', ['--to', 'nowhere']],
    ['a target without a token', ['--to', 'http://127.0.0.1:9']],
  ])('ends with code 2 on %s', async (_, args) => {
    const { code, stderr } = await runAffidavit(['simulate', ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--|AFFIDAVIT_COLLECTOR_TOKEN/);
  });
});

describe('affidavit simulate with a target', () => {
  it('makes a day that has the truth of its recordings, no gap, and nothing that is not synthetic', async () => {
    const folder = await makeTempDir();
    const server = await startServer(folder.path, { AFFIDAVIT_LOG_LEVEL: 'warn' });
    closing.push(server.stop, folder.remove);
    const args = [...SMALL, '--to', server.ingestUrl, '--json'];
    const { code, stdout } = await runAffidavit(args, WITH_TOKEN);
    expect(code).toBe(0);
    const summary = JSON.parse(stdout) as { records: number };

    const options = { seed: 'x', users: 3, days: 1, denials: 0.3, incidents: 0.3 };
    const sessions = [
      ...simulate(await loadRecordings(), { ...options, startMs: Date.parse('2026-01-05T00:00:00Z') }),
    ];
    // Every record is there once, and no other.
    expect(await server.sealed()).toBe(summary.records);
    for (const session of sessions) {
      const [first] = [...session.requests()];
      const { session_id } = JSON.parse(Buffer.from(first!.body).toString()) as { session_id: string };
      const calls = await getAll<ToolCall>(server, `/v1/tool-calls?session_id=${session_id}`);
      const outcomes = new Map(calls.map(({ tool_use_id, outcome }) => [tool_use_id, outcome]));
      expect(outcomes).toEqual(session.truth());
      const { findings } = await getJson<{ findings: { code: string }[] }>(
        server,
        `/v1/completeness?session_id=${session_id}&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z`,
      );
      expect(findings.filter(({ code }) => /sequence|duplicate/.test(code))).toEqual([]);
    }
    const records = await getAll<{ facts: { synthetic?: boolean } }>(server, '/v1/records?limit=1000');
    expect(records.length).toBe(summary.records);
    expect(records.filter(({ facts }) => facts.synthetic !== true)).toEqual([]);
  }, 120_000);

  it('loses nothing to a server that asks to come again', async () => {
    const taken: string[] = [];
    const url = await startReceiver(({ path, body, count }) => {
      if (count > 1 && count % 3 === 0) {
        const past = 'Wed, 21 Oct 2015 07:28:00 GMT';
        return count % 2 === 0
          ? { status: 503, headers: { 'retry-after': '0' } }
          : { status: 429, headers: { 'retry-after': past } };
      }
      taken.push(`${path} ${body.toString('base64')}`);
      return { status: 200 };
    });
    const { code, stdout } = await runAffidavit([...SMALL, '--to', url, '--json'], WITH_TOKEN);
    expect(code).toBe(0);
    const { lines } = await linesOf(SMALL);
    expect(taken.toSorted()).toEqual(
      lines.map((line) => `${line.path} ${bodyOf(line).toString('base64')}`).toSorted(),
    );
    const summary = JSON.parse(stdout) as { requests: number; retries: number };
    expect(summary.requests).toBe(lines.length);
    expect(summary.retries).toBeGreaterThan(lines.length / 3);
  });

  it('loses nothing to connections that break', async () => {
    const taken = new Set<string>();
    const url = await startReceiver(({ body, count }) => {
      // As if the server died after it had taken the request: the client must send it again.
      taken.add(body.toString('base64'));
      return { status: count > 20 && count % 7 === 0 ? 0 : 200 };
    });
    const { code, stdout } = await runAffidavit([...SMALL, '--to', url, '--json'], WITH_TOKEN);
    const { lines } = await linesOf(SMALL);
    expect(code).toBe(0);
    expect(taken).toEqual(new Set(lines.map((line) => bodyOf(line).toString('base64'))));
    const summary = JSON.parse(stdout) as { requests: number; retries: number };
    expect(summary.requests).toBe(lines.length);
    expect(summary.retries).toBeGreaterThan(0);
  });

  it('stops when it is told to, says how far it came and ends with code 1', async () => {
    const url = await startReceiver(({ count }) => {
      if (count === 30) child.kill('SIGTERM');
      return { status: 200 };
    });
    const args = ['simulate', '--users', '1000', '--days', '1000', '--to', url, '--json'];
    const child = spawn(process.execPath, [MAIN, ...args], { env: bareEnvironment(WITH_TOKEN) });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    expect(await once(child, 'close')).toEqual([1, null]);
    const { requests, finished, refused } = JSON.parse(stdout) as Record<string, number | boolean>;
    expect(requests).toBeGreaterThanOrEqual(29);
    expect([finished, refused]).toEqual([false, 0]);
  });

  it('explains itself with --help, the shares included', async () => {
    const { code, stdout } = await runAffidavit(['simulate', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: affidavit simulate');
    expect(stdout).toMatch(/--denials <share>[^"]*\(default: "0.05"\)/);
    expect(stdout).toMatch(/--incidents <share>[^"]*\(default: "0.02"\)/);
  });

  it('sends the requests of one session in their order', async () => {
    const taken: string[] = [];
    const url = await startReceiver(({ body, count }) => {
      if (count % 4 === 0) return { status: 503, headers: { 'retry-after': '0' } };
      taken.push(body.toString('base64'));
      return { status: 200 };
    });
    expect((await runAffidavit([...SMALL, '--to', url], WITH_TOKEN)).code).toBe(0);
    const { lines } = await linesOf(SMALL);
    const places = new Map(taken.map((body, index) => [body, index]));
    let previous = -1;
    for (const line of lines) {
      const place = places.get(bodyOf(line).toString('base64'))!;
      if (!line.body?.includes('"source":"startup"')) expect(place).toBeGreaterThan(previous);
      previous = place;
    }
  });

  it('goes on after a refusal, counts it and ends with code 1', async () => {
    const url = await startReceiver(({ count }) => ({ status: count === 5 ? 413 : 200 }));
    const { code, stdout } = await runAffidavit([...SMALL, '--to', url, '--json'], WITH_TOKEN);
    const { lines } = await linesOf(SMALL);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ refused: 1, requests: lines.length - 1, finished: true });
  });

  it('stops at once when its token is not accepted, and says so', async () => {
    let seen = 0;
    const url = await startReceiver(({ count }) => {
      seen = count;
      return { status: 401 };
    });
    const { code, stderr } = await runAffidavit(['simulate', '--users', '500', '--to', url], WITH_TOKEN);
    expect(code).toBe(1);
    expect(stderr).toContain('AFFIDAVIT_COLLECTOR_TOKEN');
    expect(stderr).not.toContain(COLLECTOR_TOKEN);
    expect(seen).toBeLessThan(40);
  });

  it('stops when nobody answers', async () => {
    const { code, stderr } = await runAffidavit([...SMALL, '--to', 'http://127.0.0.1:9'], WITH_TOKEN);
    expect(code).toBe(1);
    expect(stderr).toContain('does not answer');
  });

  it('stays below the rate it was given', async () => {
    const url = await startReceiver(() => ({ status: 200 }));
    const args = [...SMALL, '--to', url, '--rate', '1500', '--json'];
    const { stdout } = await runAffidavit(args, WITH_TOKEN);
    const { records, seconds } = JSON.parse(stdout) as { records: number; seconds: number };
    // What went out last need not be waited for.
    expect((records - 200) / seconds).toBeLessThanOrEqual(1500);
  });
});
