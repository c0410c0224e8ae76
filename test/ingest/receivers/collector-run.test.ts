import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { JSON_HEADERS, prepareBench } from './setup.ts';

const BODY = '{"session_id":"s","hook_event_name":"Stop"}';
const normalise = createNormaliser({
  surrogates: createSurrogates(Buffer.alloc(32, 7)),
});

async function send(run: Readonly<Record<string, string>>) {
  const bench = prepareBench();
  const headers = { ...JSON_HEADERS, ...run };
  const url = '/v1/hooks/claude-code';
  const answer = await buildReceivers(bench.options).inject({ method: 'POST', url, headers, payload: BODY });
  return { answer, appended: bench.appended };
}

describe("a collector's own count of its deliveries", () => {
  it('stands in the envelope, and in the facts of each of its records', async () => {
    const { appended } = await send({
      'affidavit-collector-boot': 'b-1',
      'affidavit-collector-sequence': '7',
    });
    expect(appended[0]?.collector_run).toEqual({ boot_id: 'b-1', sequence: 7 });
    const { records } = normalise(appended[0]!);
    expect(records).toMatchObject([{ facts: { collector_boot_id: 'b-1', collector_sequence: 7 } }]);
  });

  it('is absent where nobody counts, and the record is the same event', async () => {
    const counted = await send({ 'affidavit-collector-boot': 'b-1', 'affidavit-collector-sequence': '7' });
    const { appended } = await send({});
    expect(appended[0]).not.toHaveProperty('collector_run');
    const idOf = (one: typeof appended) => normalise(one[0]!).records[0]?.id;
    expect(idOf(appended)).toBe(idOf(counted.appended));
  });

  it.each([
    [{ 'affidavit-collector-boot': 'b-1' }],
    [{ 'affidavit-collector-sequence': '7' }],
    [{ 'affidavit-collector-boot': 'b 1', 'affidavit-collector-sequence': '7' }],
    [{ 'affidavit-collector-boot': 'b-1', 'affidavit-collector-sequence': '0' }],
    [{ 'affidavit-collector-boot': 'b-1', 'affidavit-collector-sequence': '1.5' }],
    [{ 'affidavit-collector-boot': 'b-1', 'affidavit-collector-sequence': 'seven' }],
  ])('is refused where it is none: %o', async (run) => {
    const { answer, appended } = await send(run);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'PARAMETER_INVALID' });
    expect(appended).toEqual([]);
  });
});
