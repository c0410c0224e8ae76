import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import type { Envelope } from '../../../schemas/envelope.ts';
import { readFixtures } from '../../support/fixtures.ts';
import { BEARER, prepareBench } from './setup.ts';

const normalise = createNormaliser({
  surrogates: createSurrogates(Buffer.alloc(32, 7)),
});
const idsOf = (envelopes: readonly Envelope[]) =>
  envelopes.flatMap((one) => normalise(one).records.map(({ id }) => id)).sort();

async function keptOf(url: string, lines: readonly object[], splitBySession: boolean) {
  const bench = prepareBench({ splitBySession });
  const answer = await buildReceivers(bench.options).inject({
    method: 'POST',
    url,
    headers: { ...BEARER, 'content-type': 'application/x-ndjson' },
    payload: lines.map((line) => JSON.stringify(line)).join('\n'),
  });
  expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: lines.length, quarantined: [] }]);
  return bench.appended;
}

const bodiesOf = (gateway: string) =>
  [...readFixtures('gateways')].filter(([name]) => name.startsWith(`${gateway}-`)).map(([, body]) => body);

describe('synthetic feeds', () => {
  it.each([
    ['/v1/gateways/bifrost', bodiesOf('bifrost'), ['session:s-1']],
    ['/v1/gateways/kong', bodiesOf('kong'), ['source:kong', 'session:s-2']],
    ['/v1/gateways/cloudflare', bodiesOf('cloudflare'), ['session:s-3', 'source:cloudflare']],
    ['/v1/gateways/portkey', bodiesOf('portkey'), ['session:s-4']],
    ['/v1/identity', [...readFixtures('identity').values()], ['source:identity']],
  ])('at %s are split by session into the same records', async (url, lines, keys) => {
    const whole = await keptOf(url, lines, false);
    const parts = await keptOf(url, lines, true);
    expect(parts.map(({ partition_key }) => partition_key)).toEqual(keys);
    expect(idsOf(parts)).toEqual(idsOf(whole));
    expect(parts.reduce((sum, { item_count }) => sum + item_count, 0)).toBe(whole[0]!.item_count);
    expect(idsOf(whole).length).toBe(whole[0]!.item_count);
    for (const part of parts) {
      const sessions = new Set(normalise(part).records.map(({ facts }) => facts.session_id ?? ''));
      const key = part.partition_key!;
      expect([...sessions]).toEqual([key.startsWith('session:') ? key.slice('session:'.length) : '']);
    }
  });

  it('of identities tell the sender what was not understood, and take the others', async () => {
    const bench = prepareBench();
    const event = { event: 'left', user: 'ben', occurred_at: '2026-03-01T09:00:00Z', source: 'hr' };
    const answer = await buildReceivers(bench.options).inject({
      method: 'POST',
      url: '/v1/identity',
      headers: { ...BEARER, 'content-type': 'application/json' },
      payload: JSON.stringify([event, { ...event, event: 'leaft' }]),
    });
    expect(answer.json()).toEqual({
      accepted: 1,
      quarantined: [{ index: 1, reason: 'item_shape_invalid', pointer: '/1/event' }],
    });
    const { records } = normalise(bench.appended[0]!);
    expect(records.map(({ type }) => type)).toEqual(['identity.left', 'quarantined']);
  });

  it('are refused without a token, or with the secret of a forge in its place', async () => {
    const bench = prepareBench({ webhookSecrets: { gitlab: ['gitlab-token-canary-4714'] } });
    const app = buildReceivers(bench.options);
    const headers = { 'content-type': 'application/json', 'x-gitlab-token': 'gitlab-token-canary-4714' };
    for (const url of ['/v1/identity', '/v1/gateways/bifrost', '/v1/gateways/kong']) {
      const answer = await app.inject({ method: 'POST', url, headers, payload: '{}' });
      expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([401, 'AUTH_MISSING']);
    }
    expect(bench.appended).toEqual([]);
  });
});
