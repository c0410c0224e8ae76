import { webcrypto } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../ingest/framing.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { readFixtures } from '../../support/fixtures.ts';
import { GITHUB_SECRET, githubExamples, githubHeaders } from '../../support/github-deliveries.ts';
import { BEARER, prepareBench, withMarks } from './setup.ts';

const URL = '/v1/webhooks/github';
const LIMITS = { maxBodyBytes: 33_554_432, maxInflatedBytes: 67_108_864 };
const secretsOf = (...github: string[]) => ({ webhookSecrets: { github }, limits: LIMITS });
const PING = Buffer.from('{"zen":"Keep it logically awesome.","hook_id":1}');

function prepare(...secrets: string[]) {
  const bench = prepareBench(secretsOf(...secrets));
  return { bench, app: buildReceivers(bench.options) };
}

/** The signature by another implementation than the one that checks it. */
async function signElsewhere(secret: string, body: Buffer): Promise<string> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await webcrypto.subtle.importKey('raw', Buffer.from(secret), algorithm, false, ['sign']);
  const mac = await webcrypto.subtle.sign('HMAC', key, body);
  return `sha256=${Buffer.from(mac).toString('hex')}`;
}

describe('webhooks of GitHub', () => {
  it('are accepted as GitHub sent them, JSON and form alike, none in quarantine and each at least one record', async () => {
    const { bench, app } = prepare('old-github-secret-4711', GITHUB_SECRET);
    const normalise = createNormaliser({
      surrogates: createSurrogates(Buffer.alloc(32, 7)),
    });
    let sent = 0;
    for (const [index, { event, payload }] of githubExamples().entries()) {
      const isForm = index % 2 === 1;
      const json = JSON.stringify(payload);
      const body = Buffer.from(isForm ? new URLSearchParams({ payload: json }).toString() : json);
      const signature = await signElsewhere(GITHUB_SECRET, body);
      const headers = githubHeaders(event, body, { delivery: `delivery-${String(index)}` });
      expect(headers['x-hub-signature-256']).toBe(signature);
      if (isForm) headers['content-type'] = 'application/x-www-form-urlencoded';
      const answer = await app.inject({ method: 'POST', url: URL, headers, payload: body });
      expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: 1, quarantined: [] }]);
      const [envelope] = bench.appended.splice(0);
      expect(envelope).toMatchObject({
        principal: 'webhook:github',
        event_name: event,
        idempotency_key: `delivery-${String(index)}`,
      });
      const marked = withMarks(Buffer.from(json)).toString();
      const kept = isForm ? new URLSearchParams({ payload: marked }).toString() : marked;
      expect(envelope!.body.toString() === kept).toBe(true);
      const { records, quarantinedCount } = normalise(decodeEnvelope(encodeEnvelope(envelope!), 0n));
      expect(quarantinedCount).toBe(0);
      expect(records.length).toBe(envelope!.item_count);
      expect(records.length).toBeGreaterThan(0);
      sent += 1;
    }
    expect(sent).toBe(726);
    expect(bench.options.counters).toMatchObject({ quarantinedItems: 0, refused: {}, inFlightBytes: 0 });
  });

  const wrongly: [string, number, string, Record<string, string | undefined>, Buffer?][] = [
    [
      'another secret',
      401,
      'WEBHOOK_SIGNATURE_INVALID',
      githubHeaders('ping', PING, { secret: 'x'.repeat(20) }),
    ],
    ['a body that was cut', 401, 'WEBHOOK_SIGNATURE_INVALID', {}, PING.subarray(0, -1)],
    [
      'a body with a byte more',
      401,
      'WEBHOOK_SIGNATURE_INVALID',
      {},
      Buffer.concat([PING, Buffer.from(' ')]),
    ],
    ['no signature', 401, 'WEBHOOK_UNSIGNED', { 'x-hub-signature-256': undefined }],
    ['a bearer token in its place', 401, 'WEBHOOK_UNSIGNED', { 'x-hub-signature-256': undefined, ...BEARER }],
    [
      'SHA-1 alone',
      401,
      'WEBHOOK_UNSIGNED',
      { 'x-hub-signature-256': undefined, 'x-hub-signature': `sha1=${'0'.repeat(40)}` },
    ],
    ['no delivery id', 400, 'PARAMETER_INVALID', { 'x-github-delivery': undefined }],
    ['no event', 400, 'PARAMETER_INVALID', { 'x-github-event': undefined }],
    ['an event that is none', 400, 'PARAMETER_INVALID', { 'x-github-event': 'push event' }],
    ['another content type', 415, 'CONTENT_TYPE_UNSUPPORTED', { 'content-type': 'text/plain' }],
  ];
  it.each(wrongly)(
    'are refused with %s, and nothing is kept',
    async (_, status, code, changed, body = PING) => {
      const { bench, app } = prepare(GITHUB_SECRET);
      const merged = Object.entries({ ...githubHeaders('ping', PING), ...changed });
      const headers = Object.fromEntries(merged.filter(([, text]) => text !== undefined)) as Record<
        string,
        string
      >;
      const answer = await app.inject({ method: 'POST', url: URL, headers, payload: body });
      expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([status, code]);
      expect(bench.appended).toEqual([]);
      expect(bench.logged()).not.toContain('sha256=');
    },
  );

  it('are refused without a secret, with word of how to set one, however well they are signed', async () => {
    for (const options of [{}, { webhookSecrets: { github: [] } }]) {
      const bench = prepareBench(options);
      const app = buildReceivers(bench.options);
      const headers = githubHeaders('ping', PING, { secret: '' });
      const answer = await app.inject({ method: 'POST', url: URL, headers, payload: PING });
      expect(answer.statusCode).toBe(403);
      expect(answer.json()).toMatchObject({
        code: 'WEBHOOK_NOT_CONFIGURED',
        hint: expect.stringContaining('webhook-secrets.json') as string,
      });
      expect(bench.appended).toEqual([]);
    }
  });

  it.each([
    ['is no JSON', 'application/json', '{"a":'],
    ['is a list', 'application/json', '[{}]'],
    ['is no form', 'application/x-www-form-urlencoded', '{"a":1}'],
    ['has another field', 'application/x-www-form-urlencoded', 'payload=%7B%7D&more=1'],
    ['has a broken escape', 'application/x-www-form-urlencoded', 'payload=%7B%7'],
  ])('are refused where what is signed %s', async (_, contentType, text) => {
    const { bench, app } = prepare(GITHUB_SECRET);
    const body = Buffer.from(text);
    const headers = { ...githubHeaders('ping', body), 'content-type': contentType };
    const answer = await app.inject({ method: 'POST', url: URL, headers, payload: body });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([400, 'BODY_MALFORMED']);
    expect(bench.appended).toEqual([]);
  });

  it('are refused where one is larger than GitHub sends them', async () => {
    const { bench, app } = prepare(GITHUB_SECRET);
    const body = Buffer.alloc(26_214_401, ' ');
    const headers = githubHeaders('ping', body);
    const answer = await app.inject({ method: 'POST', url: URL, headers, payload: body });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([413, 'BODY_TOO_LARGE']);
    expect(bench.appended).toEqual([]);
  });
});

describe('synthetic webhooks of GitLab', () => {
  const token = 'gitlab-token-canary-4714';
  const prepareGitlab = () => {
    const bench = prepareBench({
      webhookSecrets: { gitlab: ['gitlab-token-old-4714', token] },
      limits: LIMITS,
    });
    return { bench, app: buildReceivers(bench.options) };
  };
  const hook = { 'x-gitlab-token': token, 'x-gitlab-event': 'Push Hook', 'idempotency-key': 'd-1' };
  const stream = { 'x-gitlab-event-streaming-token': token, 'x-gitlab-audit-event-type': 'member_created' };

  it.each([
    ['a hook', hook, 'application/json', 'Push Hook', 'd-1'],
    ['a streamed audit event', stream, 'application/x-www-form-urlencoded', 'member_created', null],
    [
      'a type that says nothing',
      { ...stream, 'x-gitlab-event-uuid': 'u-1' },
      'text/plain',
      'member_created',
      'u-1',
    ],
  ])('are accepted as %s, whatever they say of their type', async (_, headers, type, name, key) => {
    for (const body of readFixtures('gitlab').values()) {
      const { bench, app } = prepareGitlab();
      const payload = JSON.stringify(body);
      const answer = await app.inject({
        method: 'POST',
        url: '/v1/webhooks/gitlab',
        headers: { ...headers, 'content-type': type },
        payload,
      });
      expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: 1, quarantined: [] }]);
      expect(bench.appended).toMatchObject([
        {
          principal: 'webhook:gitlab',
          event_name: name,
          idempotency_key: key,
          content_type: 'application/json',
        },
      ]);
    }
  });

  it.each([
    ['no token', {}, 'WEBHOOK_UNSIGNED'],
    ['a token of nobody', { 'x-gitlab-token': 'gitlab-token-canary-4715' }, 'WEBHOOK_SIGNATURE_INVALID'],
    ['a bearer token in its place', BEARER, 'WEBHOOK_UNSIGNED'],
  ])('are refused with %s, and nothing is kept', async (_, headers, code) => {
    const { bench, app } = prepareGitlab();
    const url = '/v1/webhooks/gitlab';
    const answer = await app.inject({ method: 'POST', url, headers, payload: '{"object_kind":"push"}' });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([401, code]);
    expect(bench.appended).toEqual([]);
    expect(bench.logged()).not.toContain('canary');
  });
});
