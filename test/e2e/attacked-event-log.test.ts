/** An envelope that was edited in the files of a stopped server is not sealed by the next start, which says so. */
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openEnvironment } from '../../ingest/embedded/environment.ts';
import {
  getAll,
  getJson,
  makeTempDir,
  post,
  runAffidavit,
  startServer,
  type TestServer,
} from '../support/server.ts';

interface Sealed {
  readonly type: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

interface Statement {
  readonly statistics: readonly { readonly id: string; readonly state: string; readonly detail: string }[];
  readonly findings: readonly { readonly code: string }[];
}

let folder: Awaited<ReturnType<typeof makeTempDir>>;
const running: TestServer[] = [];
const data = () => join(folder.path, 'data');
/** Three servers and a verification are started one after the other. */
const TIMEOUT_MS = 180_000;
/** Envelopes wait in the event log until the server is stopped: three requests take less than this. */
const HELD_BACK = { AFFIDAVIT_INGEST_SEAL_AFTER_MS: '10000' };

beforeEach(async () => {
  folder = await makeTempDir();
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  await folder.remove();
});

async function start(env: NodeJS.ProcessEnv = {}): Promise<TestServer> {
  const server = await startServer(data(), env);
  running.push(server);
  return server;
}

async function send(server: TestServer, number: number): Promise<void> {
  const body = JSON.stringify({
    session_id: 's',
    hook_event_name: 'PreToolUse',
    tool_name: 'Bash',
    tool_use_id: `t${String(number)}`,
    tool_input: { command: 'ls -la' },
  });
  const sent = { path: '/v1/hooks/claude-code', contentType: 'application/json', body };
  expect((await post(server, sent)).status).toBe(200);
}

/** Changes the command of one waiting envelope, and makes the checksum fit. */
async function editEntry(toolUse: string): Promise<void> {
  const environment = await openEnvironment(join(data(), 'event-log'), { mapBytes: 1 << 28 });
  const entries = environment.database('entries');
  const edited = await environment.commit(() => {
    for (const { key, value } of entries.getRange({})) {
      const frame = Buffer.from(value);
      if (!frame.includes(`"tool_use_id":"${toolUse}"`)) continue;
      frame.write('rm -rf', frame.indexOf('ls -la'));
      frame.writeUInt32BE(crc32(frame.subarray(5)), 1);
      void entries.put(key, frame);
      return true;
    }
    return false;
  });
  expect(edited).toBe(true);
  await environment.close();
}

it(
  'does not seal an edited envelope, keeps it, and says so in its log, its records and its completeness',
  async () => {
    const first = await start(HELD_BACK);
    for (const number of [0, 1, 2]) await send(first, number);
    await first.stop();
    await editEntry('t1');

    const second = await start();
    await second.sealed();
    const records = await getAll<Sealed>(second, '/v1/records');
    const toolUses = records.flatMap(({ facts }) => facts['tool_use_id'] ?? []);
    expect(toolUses.sort()).toEqual(['t0', 't2']);
    expect(records.find(({ type }) => type === 'ingest.counted')?.facts).toMatchObject({
      dead_letter_count: 1,
    });
    expect(records.find(({ type }) => type === 'event_log.gap')?.facts).toMatchObject({
      reason: 'missing',
      first_number: 2,
      last_number: 2,
    });
    expect(second.stderr()).toContain('MAC does not match');
    expect(second.stderr()).toContain('entries of the event log are missing');
    expect(await readdir(join(data(), 'event-log', 'dead-letters'))).toHaveLength(1);

    const day = new Date().toISOString().slice(0, 10);
    const next = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const period = `from=${day}T00:00:00Z&to=${next}T00:00:00Z`;
    const { statistics, findings } = await getJson<Statement>(second, `/v1/completeness?${period}`);
    expect(statistics.find(({ id }) => id === 'S8')?.state).toBe('failed');
    expect(findings.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['dead_letters', 'event_log_gap']),
    );
    await second.stop();
    expect((await runAffidavit(['verify', join(data(), 'archive')])).code).toBe(0);
  },
  TIMEOUT_MS,
);

it('keeps the key of the event log for the user of the server alone, and refuses another one', async () => {
  const first = await start();
  await send(first, 0);
  await first.sealed();
  await first.stop();
  const key = join(data(), 'keys', 'event-log-key');
  expect((await stat(key)).mode & 0o777).toBe(0o600);
  await writeFile(key, Buffer.alloc(32, 1));
  const env = { AFFIDAVIT_DATA: data(), AFFIDAVIT_INGEST_PORT: '0', AFFIDAVIT_API_PORT: '0' };
  const refused = await runAffidavit(['serve'], env);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('is not the event log key of this deployment');
});
