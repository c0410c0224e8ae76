import { describe, expect, it } from 'vitest';
import { CANARY_SOURCES, toCanary } from '../../../connectors/simulation/canary.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { BEARER, prepareBench } from '../../ingest/receivers/setup.ts';

const ROUND = { session_id: 'canary-1', occurred_at: '2026-03-01T09:00:00.000Z' };

describe('a canary', () => {
  it.each(CANARY_SOURCES)('is one synthetic record of its source and session: %s', async (through) => {
    const { path, contentType, text } = toCanary(through, ROUND);
    const bench = prepareBench();
    const headers = { ...BEARER, 'content-type': contentType };
    const app = buildReceivers(bench.options);
    const answer = await app.inject({ method: 'POST', url: path, headers, payload: text });
    expect(answer.statusCode).toBe(200);
    const normalise = createNormaliser({
      surrogates: createSurrogates(Buffer.alloc(32, 7)),
    });
    const { records } = normalise(bench.appended[0]!);
    expect(records).toMatchObject([
      { source: through, subject: null, facts: { session_id: 'canary-1', synthetic: true } },
    ]);
    expect(records[0]!.facts).not.toHaveProperty('tool_use_id');
  });
});
