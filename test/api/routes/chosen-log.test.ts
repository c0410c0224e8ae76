import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecordRow, RecordStore } from '../../../store/records/record-store.ts';
import { openApiStack, type ApiStack } from '../../support/api-stack.ts';
import { chdbPlace } from '../../support/chdb-store.ts';
import { openApiJudge } from '../../support/openapi-judge.ts';
import { auditRecord, sealedRows, testPublishedLog } from '../../support/sealed-rows.ts';

const ORDER = {
  framework: 'soc2',
  period: { from: '2026-03-01T00:00:00.000Z', to: '2026-04-01T00:00:00.000Z' },
} as const;

describe('the API of a deployment with several logs', () => {
  const other = { ...testPublishedLog(), log: 'p1' };
  let place: Awaited<ReturnType<typeof chdbPlace>>;
  let store: RecordStore;
  let stack: ApiStack;
  const rows = new Map<string, RecordRow[]>();

  beforeAll(async () => {
    place = await chdbPlace();
    store = await place.open();
    for (const log of ['p0', 'p1']) {
      const own = sealedRows(
        [1, 2, 3].map((n) => auditRecord(`${log} ${String(n)}`)),
        log,
      );
      rows.set(log, own);
      await store.insert(log, own, `${log} bundle`);
    }
    stack = await openApiStack(store, { otherLogs: [other] });
    stack.published.publish(rows.get('p0')!.map(({ leaf_hash }) => leaf_hash));
    other.publish(rows.get('p1')!.map(({ leaf_hash }) => leaf_hash));
  });
  afterAll(async () => {
    await stack.close();
    await store.close();
    await place.remove();
  });

  it('gives the checkpoint of the log that is named, and none where none is', async () => {
    const judge = await openApiJudge(stack.app);
    for (const published of [stack.published, other]) {
      const answer = await stack.get(`/v1/log/checkpoint?log=${published.log}`);
      judge.expectAnswer('get', '/v1/log/checkpoint', answer);
      expect(answer.body).toBe((await published.checkpoint())?.note);
    }
    for (const url of ['/v1/log/checkpoint', '/v1/log/checkpoint?log=p2']) {
      const refused = await stack.get(url);
      judge.expectAnswer('get', '/v1/log/checkpoint', refused);
      expect(refused.json()).toMatchObject({ status: 400, code: 'PARAMETER_INVALID' });
      expect(refused.body).toContain('p0, p1');
    }
  });

  it('proves a record against the checkpoint of its own log', async () => {
    for (const published of [stack.published, other]) {
      const [row] = rows.get(published.log)!;
      const proof = (await stack.get(`/v1/records/${row!.id}/proof`)).json<{ checkpoint: string }>();
      expect(proof.checkpoint).toBe((await published.checkpoint())?.note);
    }
  });

  it('makes a package of the log that is named, and refuses an order that names none', async () => {
    const post = (payload: object) =>
      stack.request({ method: 'POST', url: '/v1/evidence-packages', payload });
    const ordered = await post({ ...ORDER, log: 'p1' });
    (await openApiJudge(stack.app)).expectAnswer('post', '/v1/evidence-packages', ordered);
    expect(ordered.json()).toMatchObject({ request: { log: 'p1' } });
    expect((await post(ORDER)).json()).toMatchObject({ status: 400, code: 'PARAMETER_INVALID' });
    expect((await post({ ...ORDER, log: 'p9' })).statusCode).toBe(400);
  });
});
