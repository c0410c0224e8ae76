import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startClickHouseFront } from '../support/clickhouse-front.ts';
import { getJson, makeTempDir, post, runAffidavit, startServer } from '../support/server.ts';

it('serves, verifies and rebuilds with a record store by URL', { timeout: 180_000 }, async () => {
  const folder = await makeTempDir();
  const front = await startClickHouseFront(folder.path, 0, 'secret of the store');
  const data = join(folder.path, 'data');
  const env = {
    AFFIDAVIT_CLICKHOUSE_URL: front.url,
    AFFIDAVIT_CLICKHOUSE_USERNAME: 'affidavit',
    AFFIDAVIT_CLICKHOUSE_PASSWORD: 'secret of the store',
  };
  const server = await startServer(data, env);
  const event = { session_id: 's', hook_event_name: 'UserPromptSubmit', prompt_id: 'p', prompt: 'hello' };
  const body = JSON.stringify(event);
  const sent = await post(server, { path: '/v1/hooks/claude-code', contentType: 'application/json', body });
  expect(sent.status).toBe(200);
  const listed = async () =>
    (await getJson<{ data: { id: string; leaf_index: number }[] }>(server, '/v1/records')).data;
  await expect.poll(listed, { timeout: 30_000 }).toHaveLength(1);
  await server.stop();
  // No engine of its own was opened.
  expect(await readdir(data)).not.toContain('records');

  const verified = await runAffidavit(['verify', join(data, 'archive'), '--store', '--json'], {
    ...env,
    AFFIDAVIT_DATA: data,
  });
  expect(verified.stderr).toBe('');
  expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, kind: 'record_store' });
  const rebuilt = await runAffidavit(['rebuild', '--json'], { ...env, AFFIDAVIT_DATA: data });
  expect(JSON.parse(rebuilt.stdout)).toMatchObject({ row_count: 1 });
  await front.stop();
  await folder.remove();
});
