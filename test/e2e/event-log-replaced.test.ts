/** The runbook's recovery when the embedded event log is lost: nothing acknowledged into the new one is passed over. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { getAll, makeTempDir, post, runAffidavit, startServer, type TestServer } from '../support/server.ts';

interface Sealed {
  readonly type: string;
  readonly source: string;
  readonly facts: {
    readonly session_id?: string;
    readonly event_log?: string;
    readonly previous_event_log?: string;
  };
}

let folder: Awaited<ReturnType<typeof makeTempDir>>;
const running: TestServer[] = [];
const data = () => join(folder.path, 'data');
const env = () => ({ AFFIDAVIT_DATA: data(), AFFIDAVIT_INGEST_PORT: '0', AFFIDAVIT_API_PORT: '0' });

beforeEach(async () => {
  folder = await makeTempDir();
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  await folder.remove();
});

async function start(): Promise<TestServer> {
  const server = await startServer(data());
  running.push(server);
  return server;
}

async function send(server: TestServer, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n += 1) {
    const body = `{"session_id":"s-${String(n)}","hook_event_name":"Stop"}`;
    const sent = { path: '/v1/hooks/claude-code', contentType: 'application/json', body };
    expect((await post(server, sent)).status).toBe(200);
  }
}

it('refuses an event log that nobody accepted, and after the word of the operator seals all of it', async () => {
  const first = await start();
  await send(first, 0, 5);
  await first.sealed();
  await first.stop();
  await rename(join(data(), 'event-log'), join(folder.path, 'event-log-lost'));

  const refused = await runAffidavit(['serve'], env());
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('EVENT_LOG_REPLACED');

  const shown = await runAffidavit(['accept-event-log', '--json'], env());
  expect(shown.code).toBe(3);
  const { found, accepted } = JSON.parse(shown.stdout) as { found: string; accepted: string };
  expect([found, accepted]).toEqual([expect.stringMatching(/^lmdb:/), expect.stringMatching(/^lmdb:/)]);
  expect(found).not.toBe(accepted);
  const other = await runAffidavit(['accept-event-log', accepted], env());
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining(found)]);
  expect((await runAffidavit(['accept-event-log', found], env())).code).toBe(0);
  expect((await runAffidavit(['accept-event-log'], env())).code).toBe(0);

  const second = await start();
  // More than the old log ever had: the first of them would lie below the ledger's old offset.
  await send(second, 5, 9);
  await second.sealed();
  const records = await getAll<Sealed>(second, '/v1/records');
  const sessions = records.flatMap(({ facts }) => facts.session_id ?? []);
  expect([...new Set(sessions)].sort()).toEqual(
    Array.from({ length: 14 }, (_, n) => `s-${String(n)}`).sort(),
  );
  expect(records.find(({ type }) => type === 'event_log.replaced')).toMatchObject({
    source: 'affidavit',
    facts: { event_log: found, previous_event_log: accepted },
  });
  await second.stop();
  expect((await runAffidavit(['verify', join(data(), 'archive')])).code).toBe(0);

  // The old log came back: it is not the accepted one any more.
  await rename(join(data(), 'event-log'), join(folder.path, 'event-log-new'));
  await rename(join(folder.path, 'event-log-lost'), join(data(), 'event-log'));
  expect((await runAffidavit(['serve'], env())).stderr).toContain('EVENT_LOG_REPLACED');
});
