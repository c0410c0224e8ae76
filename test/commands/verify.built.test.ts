import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationReport } from '../../schemas/verification.ts';
import { openEngine } from '../../store/records/clickhouse/client.ts';
import { ADMIN_TOKEN, makeTempDir, post, runAffidavit, startServer } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let data: string;
let checkpoint: string;
/** What a run answers while the server is up. */
let refused: Awaited<ReturnType<typeof runAffidavit>>;

const verify = (...args: string[]) => runAffidavit(['verify', ...args], { AFFIDAVIT_DATA: data });
const reportOf = ({ stdout }: { stdout: string }) => JSON.parse(stdout) as VerificationReport;

beforeAll(async () => {
  folder = await makeTempDir();
  data = join(folder.path, 'data');
  checkpoint = join(folder.path, 'kept-checkpoint');
  const server = await startServer(data);
  for (const session of ['a', 'b', 'c']) {
    const body = JSON.stringify({
      session_id: session,
      hook_event_name: 'UserPromptSubmit',
      prompt: 'hello',
    });
    await post(server, { path: '/v1/hooks/claude-code', contentType: 'application/json', body });
  }
  await server.sealed();
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const kept = await fetch(`${server.apiUrl}/v1/log/checkpoint`, { headers });
  await writeFile(checkpoint, await kept.text());
  refused = await verify('--store');
  expect(await server.stop()).toBe(0);
});
afterAll(() => folder.remove());

describe('affidavit verify --checkpoint', () => {
  it('takes a checkpoint as the API answered it, several times', async () => {
    const good = await verify(data, '--json', '--checkpoint', checkpoint, '--checkpoint', checkpoint);
    expect(good.code).toBe(0);
    expect(reportOf(good)).toMatchObject({ ok: true, kind: 'archive', tree_size: 3, notices: [] });
  });

  it('ends with code 3 and names the file where the log does not extend it', async () => {
    const other = join(folder.path, 'no-checkpoint');
    await writeFile(other, 'nothing\n');
    const bad = await verify(data, '--checkpoint', other);
    expect(bad.code).toBe(3);
    expect(bad.stdout).toContain('FAILED kept_checkpoint_invalid');
    expect(bad.stdout).toContain(other);
  });

  it('ends with code 1 where there is no such file', async () => {
    const absent = await verify(data, '--checkpoint', join(folder.path, 'absent'));
    expect(absent.code).toBe(1);
    expect(absent.stderr).toContain('absent cannot be read');
  });
});

describe('affidavit verify --store', () => {
  it('refuses with the reason while the server runs', () => {
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('START_REFUSED');
    expect(refused.stderr).toContain('another process has it in use');
  });

  it('finds every row as it was sealed, against the own archive and against a copy by path', async () => {
    for (const path of [[], [join(data, 'archive')], [data]]) {
      const good = await verify('--store', ...path, '--json', '--checkpoint', checkpoint);
      expect(good.code).toBe(0);
      expect(reportOf(good)).toMatchObject({ ok: true, kind: 'record_store', tree_size: 3, failures: [] });
    }
  });

  it('ends with code 3 and the first index where a row was edited', async () => {
    const engine = openEngine({ kind: 'chdb', path: join(data, 'records') }).client;
    const query = `ALTER TABLE records UPDATE hook_event = 'Stop' WHERE leaf_index >= 1`;
    await engine.command({ query, clickhouse_settings: { mutations_sync: '2' } });
    await engine.close();
    const bad = await verify('--store', '--json');
    expect(bad.code).toBe(3);
    expect(reportOf(bad)).toMatchObject({ ok: false, integrity: 'broken' });
    expect(reportOf(bad).failures[0]).toMatchObject({ code: 'row_column_edited', index: 1 });
    expect((await verify(data)).code).toBe(0);
  });

  it('compares nothing with an archive that is not sound, and says so', async () => {
    const empty = join(folder.path, 'kept-checkpoint-2');
    await writeFile(empty, '');
    const bad = await verify('--store', '--json', '--checkpoint', empty);
    expect(bad.code).toBe(3);
    expect(reportOf(bad).notices).toMatchObject([{ code: 'store_not_compared' }]);
  });

  it('refuses where there is no record store', async () => {
    const none = await runAffidavit(['verify', '--store'], { AFFIDAVIT_DATA: join(folder.path, 'none') });
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('holds no record store');
  });
});
