import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getAll, getJson, post, runAffidavit } from '../support/server.ts';
import {
  openScaleOut,
  readReadiness,
  untilSealed,
  type RoleProcess,
  type ScaleOut,
} from '../support/scale-out.ts';

const opened = await openScaleOut({ partitions: 3 });
const reason = 'skipped' in opened ? `(skipped: ${opened.skipped})` : '';

describe.skipIf('skipped' in opened)(`roles as processes ${reason}`, { timeout: 180_000 }, () => {
  const deployment = opened as ScaleOut;
  let roles: { ingest: RoleProcess; first: RoleProcess; second: RoleProcess; api: RoleProcess };

  beforeAll(async () => {
    const [ingest, first, second, api] = await Promise.all([
      deployment.start('ingest', 'ingest'),
      deployment.start('sequence', 'first'),
      deployment.start('sequence', 'second'),
      deployment.start('api', 'api'),
    ]);
    roles = { ingest, first, second, api };
  }, 120_000);
  afterAll(() => deployment.dispose(), 60_000);

  it('take in, seal and answer together, each session in one log', async () => {
    const sessions = Array.from({ length: 12 }, (_, n) => `session-${String(n)}`);
    for (const session_id of [...sessions, ...sessions]) {
      const event = {
        session_id,
        hook_event_name: 'UserPromptSubmit',
        prompt_id: 'p',
        prompt: `of ${session_id}`,
      };
      const sent = await post(roles.ingest as { ingestUrl: string }, {
        path: '/v1/hooks/claude-code',
        contentType: 'application/json',
        body: JSON.stringify(event),
      });
      expect(sent.status).toBe(200);
    }
    await untilSealed([roles.first, roles.second], 60_000);
    const records = await getAll<{ log: string; type: string; facts: { session_id?: string } }>(
      roles.api,
      '/v1/records',
    );
    const own = records.filter(({ facts }) => facts.session_id !== undefined);
    expect(own.map(({ facts }) => facts.session_id).sort()).toEqual(sessions.toSorted());
    expect(new Set(own.map(({ log }) => log)).size).toBeGreaterThan(1);
  });

  it('share the partitions out, and answer for each log by its name', async () => {
    const logs = async () => {
      const states = await Promise.all([roles.first, roles.second].map(readReadiness));
      return states.flatMap((state) => state?.logs ?? []).toSorted();
    };
    // Partitions may be between the two processes for a moment.
    await expect.poll(logs, { timeout: 30_000 }).toEqual(['p0', 'p1', 'p2']);
    const unnamed = await fetch(`${roles.api.apiUrl}/v1/log/checkpoint`, {
      headers: { authorization: 'Bearer test-admin-token-0123456789' },
    });
    expect(unnamed.status).toBe(400);
    const [record] = await getAll<{ id: string; log: string }>(roles.api, '/v1/records');
    const proof = await getJson<{ checkpoint: string }>(roles.api, `/v1/records/${record!.id}/proof`);
    expect(proof.checkpoint).toContain(`scale.test.example/log/${record!.log}\n`);
  });

  it('name the event log in a deployment file of an older version, once all ledgers were read from it', async () => {
    const path = join(deployment.env['AFFIDAVIT_KEYS'] ?? '', 'deployment.json');
    const eventLogOf = async () =>
      (JSON.parse(await readFile(path, 'utf8')) as { event_log?: string }).event_log;
    const file = JSON.parse(await readFile(path, 'utf8')) as object;
    const named = await eventLogOf();
    expect(named).toMatch(/^kafka:/);
    await writeFile(path, JSON.stringify({ ...file, event_log: undefined }));
    const third = await deployment.start('sequence', 'third');
    await expect.poll(eventLogOf, { timeout: 30_000 }).toBe(named);
    await third.stop();
  });

  it('leave a bucket that verifies with a key for each log, and rows that are those of the bucket', async () => {
    const keys = [...deployment.vkeys.values()].flatMap((vkey) => ['--key', vkey]);
    for (const what of ['--s3', '--store']) {
      const verified = await runAffidavit(['verify', what, ...keys, '--json'], { ...deployment.env });
      expect(verified.stderr).not.toContain('affidavit:');
      expect(JSON.parse(verified.stdout)).toMatchObject({
        ok: true,
        anchoring: 'signed_by_pinned_key',
        failures: [],
      });
    }
    const one = await runAffidavit(['verify', '--s3', ...keys.slice(0, 2), '--json'], { ...deployment.env });
    expect(one.code).toBe(3);
    expect(one.stdout).toContain('key_not_pinned');
  });
});
