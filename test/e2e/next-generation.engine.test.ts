/** A new generation of several logs: on Kafka, in a bucket. What the topic still holds is sealed again. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { VerificationReport } from '../../schemas/verification.ts';
import { ADMIN_TOKEN, getAll, post, runAffidavit } from '../support/server.ts';
import { openScaleOut, untilSealed, type RoleProcess, type ScaleOut } from '../support/scale-out.ts';

const BEFORE = { AFFIDAVIT_S3_PREFIX: 'g1/' };
const AFTER = { AFFIDAVIT_S3_PREFIX: 'g2/' };
const SEALED_MS = 60_000;

const opened = await openScaleOut({ partitions: 2, env: BEFORE });
const reason = 'skipped' in opened ? `(skipped: ${opened.skipped})` : '';

const sessionsOf = (name: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${name}-${String(n)}`);

describe.skipIf('skipped' in opened)(`a new generation on engines ${reason}`, { timeout: 240_000 }, () => {
  const deployment = opened as ScaleOut;
  afterAll(() => deployment.dispose(), 60_000);

  async function send({ ingestUrl }: RoleProcess, sessions: readonly string[]): Promise<void> {
    for (const session_id of sessions) {
      const event = { session_id, hook_event_name: 'UserPromptSubmit', prompt_id: 'p', prompt: session_id };
      const body = JSON.stringify(event);
      const sent = { path: '/v1/hooks/claude-code', contentType: 'application/json', body };
      expect((await post({ ingestUrl: ingestUrl ?? '' }, sent)).status).toBe(200);
    }
  }

  async function keepCheckpoint({ apiUrl }: RoleProcess, log: string): Promise<string> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const answer = await fetch(`${apiUrl}/v1/log/checkpoint?log=${log}`, { headers });
    expect(answer.status).toBe(200);
    const file = join(deployment.shared, `kept-${log}`);
    await writeFile(file, await answer.text());
    return file;
  }

  async function sealAll(sessions: readonly string[], ingest: RoleProcess, env = {}): Promise<void> {
    await send(ingest, sessions);
    const sequence = await deployment.start('sequence', 'sequence', env);
    await untilSealed([sequence], SEALED_MS);
    await sequence.stop();
  }

  it('continues every log, reads the topic again from the trusted bundles on, and loses nothing', async () => {
    const receiver = await deployment.start('ingest', 'ingest');
    await sealAll(sessionsOf('trusted', 12), receiver);
    const api = await deployment.start('api', 'api');
    const kept = [await keepCheckpoint(api, 'p0'), await keepCheckpoint(api, 'p1')];
    await sealAll(sessionsOf('behind', 8), receiver);
    await send(receiver, sessionsOf('waiting', 3));
    await Promise.all([api.stop(), receiver.stop()]);

    const previous = `s3://${deployment.bucket}/g1/`;
    const trusted = kept.flatMap((file) => ['--trusted', file]);
    const env = { ...deployment.env, ...AFTER };
    const one = await runAffidavit(['begin-generation', '--previous', previous, ...trusted.slice(0, 2)], env);
    expect([one.code, one.stderr]).toEqual([2, expect.stringContaining('p1 has no trusted checkpoint')]);
    const begun = await runAffidavit(['begin-generation', '--previous', previous, ...trusted, '--json'], env);
    expect([begun.code, begun.stderr]).toEqual([0, expect.not.stringContaining('affidavit:')]);
    const { logs } = JSON.parse(begun.stdout) as { logs: { log: string; origin: string; vkey: string }[] };
    expect(logs.map(({ origin }) => origin)).toEqual([
      'scale.test.example/log/g2/p0',
      'scale.test.example/log/g2/p1',
    ]);

    const again = await deployment.start('ingest', 'ingest', AFTER);
    await sealAll(sessionsOf('after', 2), again, AFTER);
    const reader = await deployment.start('api', 'api', AFTER);
    const records = await getAll<{ type: string; facts: { session_id?: string } }>(reader, '/v1/records');
    const sessions = records.flatMap(({ facts }) => facts.session_id ?? []);
    const expected = [...sessionsOf('behind', 8), ...sessionsOf('waiting', 3), ...sessionsOf('after', 2)];
    expect(sessions.toSorted()).toEqual(expected.toSorted());
    const types = records.map(({ type }) => type);
    expect(types.filter((type) => type === 'generation.begun')).toHaveLength(2);
    expect(types).not.toContain('event_log.gap');
    await Promise.all([again.stop(), reader.stop()]);

    const keys = logs.flatMap(({ vkey }) => ['--key', vkey]);
    const verified = await runAffidavit(['verify', '--s3', '--previous', previous, ...keys, '--json'], env);
    const report = JSON.parse(verified.stdout) as VerificationReport;
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({ ok: true, anchoring: 'signed_by_pinned_key' });
    expect(report.continues.map(({ generation }) => generation)).toEqual([2, 2]);
    expect(new Set(report.notices.map(({ code }) => code))).toEqual(new Set(['untrusted_tail']));
  });
});
