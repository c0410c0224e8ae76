import { describe, expect, it } from 'vitest';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { ADMIN_TOKEN, BEARER, JSON_HEADERS, TOKEN, prepareBench } from './setup.ts';

const HOOK = '/v1/hooks/claude-code';
const ROUTES = [HOOK, '/v1/logs', '/v1/metrics', '/v1/traces', '/v1/events'];
const OK_HOOK = '{"session_id":"s","hook_event_name":"Stop"}';

describe('receivers: who may send', () => {
  const bench = prepareBench();
  const app = buildReceivers(bench.options);

  it.each(ROUTES)('refuses a missing credential at %s and says which kind it wants', async (url) => {
    const answer = await app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' } });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
  });

  it.each([
    ['another token', 'Bearer nonsense', 'AUTH_INVALID'],
    ['an empty token', 'Bearer ', 'AUTH_MISSING'],
    ['another scheme', `Basic ${TOKEN}`, 'AUTH_MISSING'],
    ['a token with more behind it', `Bearer ${TOKEN} x`, 'AUTH_MISSING'],
  ])('refuses %s with a problem document', async (_name, authorization, code) => {
    const headers = { 'content-type': 'application/json', authorization };
    const answer = await app.inject({ method: 'POST', url: HOOK, headers, payload: OK_HOOK });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.json()).toMatchObject({ code, status: 401 });
    expect(bench.appended).toEqual([]);
  });

  it.each(ROUTES)('refuses an admin token at %s and says which token sends', async (url) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` };
    const answer = await app.inject({ method: 'POST', url, headers, payload: OK_HOOK });
    expect(answer.statusCode).toBe(403);
    expect(answer.body).toContain('sending needs the collector role; use a collector token');
    expect(answer.body).not.toContain(ADMIN_TOKEN);
    expect(bench.appended).toEqual([]);
  });

  it('answers an admin token with a problem document and counts it', async () => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` };
    const before = bench.options.counters.refused.AUTH_FORBIDDEN ?? 0;
    const answer = await app.inject({ method: 'POST', url: HOOK, headers, payload: OK_HOOK });
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.json()).toMatchObject({ code: 'AUTH_FORBIDDEN', status: 403 });
    expect(bench.options.counters.refused.AUTH_FORBIDDEN).toBe(before + 1);
  });

  it('takes the scheme in any case', async () => {
    const headers = { 'content-type': 'application/json', authorization: `bearer ${TOKEN}` };
    const answer = await app.inject({ method: 'POST', url: HOOK, headers, payload: OK_HOOK });
    expect(answer.statusCode).toBe(200);
    expect(bench.appended.at(-1)?.principal).toBe('collector-1');
  });
});

describe('receivers: exporters that do not decode their settings', () => {
  it('are understood when they send the blank behind the scheme as it was configured', async () => {
    const app = buildReceivers(prepareBench().options);
    const headers = { ...JSON_HEADERS, authorization: `Bearer%20${TOKEN}` };
    const answer = await app.inject({ method: 'POST', url: '/v1/logs', headers, payload: '{}' });
    expect(answer.statusCode).toBe(200);
  });
});

describe('receivers: bad requests', () => {
  const nested = '{"a":'.repeat(100_000);
  const rows: [string, string, Record<string, string>, string | Buffer, number, string][] = [
    ['broken JSON', HOOK, {}, '{"a":1,}', 400, 'BODY_MALFORMED'],
    ['JSON cut short', HOOK, {}, '{"a":', 400, 'BODY_MALFORMED'],
    ['deep JSON that is never closed', HOOK, {}, nested, 400, 'BODY_MALFORMED'],
    ['an empty body', HOOK, {}, '', 400, 'BODY_MALFORMED'],
    ['an array as a hook', HOOK, {}, '[{}]', 400, 'BODY_MALFORMED'],
    ['a number as a hook', HOOK, {}, '5', 400, 'BODY_MALFORMED'],
    ['a string as a hook', HOOK, {}, '"{"', 400, 'BODY_MALFORMED'],
    ['UTF-8 that is none', HOOK, {}, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, 'BODY_MALFORMED'],
    ['UTF-16', HOOK, {}, Buffer.from('\ufeff{}', 'utf16le'), 400, 'BODY_MALFORMED'],
    ['another media type', HOOK, { 'content-type': 'text/plain' }, '{}', 415, 'CONTENT_TYPE_UNSUPPORTED'],
    ['no media type', HOOK, { 'content-type': '' }, Buffer.from('{}'), 415, 'CONTENT_TYPE_UNSUPPORTED'],
    ['a broken media type', HOOK, { 'content-type': ';;' }, '{}', 415, 'CONTENT_TYPE_UNSUPPORTED'],
    [
      'another charset',
      HOOK,
      { 'content-type': 'application/json; charset=iso-8859-1' },
      '{}',
      415,
      'CONTENT_TYPE_UNSUPPORTED',
    ],
    ['brotli', HOOK, { 'content-encoding': 'br' }, '{}', 415, 'CONTENT_ENCODING_UNSUPPORTED'],
    ['two codings', HOOK, { 'content-encoding': 'gzip, gzip' }, '{}', 415, 'CONTENT_ENCODING_UNSUPPORTED'],
    ['no gzip', HOOK, { 'content-encoding': 'gzip' }, '{}', 400, 'BODY_MALFORMED'],
    ['an empty gzip body', HOOK, { 'content-encoding': 'gzip' }, '', 400, 'BODY_MALFORMED'],
    ['a long idempotency key', HOOK, { 'idempotency-key': 'k'.repeat(257) }, '{}', 400, 'PARAMETER_INVALID'],
    ['a scalar as events', '/v1/events', {}, '5', 400, 'BODY_MALFORMED'],
    [
      'NDJSON with a broken line',
      '/v1/events',
      { 'content-type': 'application/x-ndjson' },
      '{"a":1}\n\n{"a":\n',
      400,
      'BODY_MALFORMED',
    ],
    [
      'protobuf events',
      '/v1/events',
      { 'content-type': 'application/x-protobuf' },
      '',
      415,
      'CONTENT_TYPE_UNSUPPORTED',
    ],
  ];

  it.each(rows)('refuses %s', async (_name, url, headers, payload, status, code) => {
    const bench = prepareBench();
    const app = buildReceivers(bench.options);
    const answer = await app.inject({
      method: 'POST',
      url,
      headers: { ...JSON_HEADERS, ...headers },
      payload,
    });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([status, code]);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(bench.appended).toEqual([]);
    expect(bench.options.counters.refused).toEqual({ [code]: 1 });
    expect(bench.options.counters.inFlightBytes).toBe(0);
  });

  it('names the place where JSON breaks', async () => {
    const app = buildReceivers(prepareBench().options);
    const payload = '{\n  "a": tru\n}';
    const answer = await app.inject({ method: 'POST', url: HOOK, headers: JSON_HEADERS, payload });
    const { errors } = answer.json<{ errors: { pointer: string }[] }>();
    expect(errors[0]!.pointer).toMatch(/line 2 column \d+ \(byte \d+\)/);
  });

  it('names the line of an NDJSON body, blank lines counted', async () => {
    const app = buildReceivers(prepareBench().options);
    const headers = { ...BEARER, 'content-type': 'application/x-ndjson' };
    const payload = '{"a":1}\n \n{"a":\n';
    const answer = await app.inject({ method: 'POST', url: '/v1/events', headers, payload });
    expect(answer.json<{ errors: { pointer: string }[] }>().errors[0]!.pointer).toMatch(/^body line 3/);
  });

  it.each([...ROUTES, '/v1/nothing'])('answers other methods and paths with a problem: %s', async (url) => {
    const app = buildReceivers(prepareBench().options);
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const) {
      const answer = await app.inject({ method, url });
      const isKnown = ROUTES.includes(url);
      expect(answer.statusCode).toBe(isKnown ? 405 : 404);
      if (isKnown) expect(answer.headers.allow).toBe('POST');
    }
  });

  it.each(['/v1/nothing', '/%zz', '/v1/hooks/claude-code/', '/V1/LOGS', '//'])(
    'knows no path %s',
    async (url) => {
      const app = buildReceivers(prepareBench().options);
      const answer = await app.inject({ method: 'POST', url, headers: JSON_HEADERS, payload: '{}' });
      expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([404, 'NOT_FOUND']);
    },
  );
});
