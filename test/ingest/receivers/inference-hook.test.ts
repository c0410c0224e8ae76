import { webcrypto } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { fitsStandardWebhook } from '../../../connectors/wire/webhook-signatures.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { INFERENCE_PROMPT, INFERENCE_SECRET, inferenceHeaders } from '../../support/inference-hook.ts';
import { BEARER, NOW_MS, prepareBench } from './setup.ts';

const URL = '/v1/webhooks/anthropic';
const BODY = Buffer.from(JSON.stringify(INFERENCE_PROMPT));
const OTHER_SECRET = `whsec_${Buffer.from('another-secret-canary-4717').toString('base64')}`;
const LIMITS = { maxBodyBytes: 33_554_432, maxInflatedBytes: 67_108_864 };

function prepare(secrets = [INFERENCE_SECRET], more: Parameters<typeof prepareBench>[0] = {}) {
  const bench = prepareBench({ webhookSecrets: { anthropic: secrets }, limits: LIMITS, ...more });
  const app = buildReceivers(bench.options);
  const send = (headers: Record<string, string>, payload: Buffer = BODY) =>
    app.inject({ method: 'POST', url: URL, headers, payload });
  return { bench, send };
}

const signed = (more: Partial<Parameters<typeof inferenceHeaders>[1]> = {}, body = BODY) =>
  inferenceHeaders(body, { atMs: NOW_MS, ...more });

describe('a signature of Standard Webhooks', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const delivery = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    seconds: '1614265330',
    body: Buffer.from('{"test": 2432232314}'),
  };

  it('is the one that another implementation makes', async () => {
    const algorithm = { name: 'HMAC', hash: 'SHA-256' };
    const raw = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const key = await webcrypto.subtle.importKey('raw', raw, algorithm, false, ['sign']);
    const text = `${delivery.id}.${delivery.seconds}.${delivery.body.toString()}`;
    const mac = Buffer.from(await webcrypto.subtle.sign('HMAC', key, Buffer.from(text))).toString('base64');
    expect(mac).toBe('g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
    expect(fitsStandardWebhook(`v1,${mac}`, delivery, [secret])).toBe(true);
    expect(fitsStandardWebhook(`v1a,x v1,${mac}`, delivery, [OTHER_SECRET, secret])).toBe(true);
    expect(fitsStandardWebhook(`v1,${mac}`, { ...delivery, id: 'msg' }, [secret])).toBe(false);
    expect(fitsStandardWebhook(`v1,${mac}`, { ...delivery, seconds: '1614265331' }, [secret])).toBe(false);
    expect(fitsStandardWebhook(`v1,${mac}`, delivery, [])).toBe(false);
    expect(fitsStandardWebhook(`v2,${mac}`, delivery, [secret])).toBe(false);
  });
});

describe('inference hooks', () => {
  it('are allowed once they are on record', async () => {
    const { bench, send } = prepare();
    const answer = await send(signed());
    expect([answer.statusCode, answer.json()]).toEqual([200, { action: 'allow' }]);
    expect(bench.appended).toHaveLength(1);
    expect(bench.appended[0]).toMatchObject({
      source: 'anthropic-inference-hook',
      principal: 'webhook:anthropic',
      idempotency_key: 'msg_1',
      item_count: 5,
    });
  });

  it('get no verdict where the log cannot take them', async () => {
    const append = () => Promise.reject(new PipelineError('LOG_UNAVAILABLE', 'no room'));
    const { send } = prepare(undefined, { append });
    const answer = await send(signed());
    expect([answer.statusCode, answer.json<object>()]).toMatchObject([503, { code: 'LOG_UNAVAILABLE' }]);
    expect(answer.body).not.toContain('allow');
  });

  it('are taken under an old and a new secret while one replaces the other', async () => {
    const { send } = prepare([OTHER_SECRET, INFERENCE_SECRET]);
    for (const secrets of [[INFERENCE_SECRET], [OTHER_SECRET], [OTHER_SECRET, INFERENCE_SECRET]]) {
      expect((await send(signed({ secrets }))).statusCode).toBe(200);
    }
  });

  it.each<[string, number, string, Record<string, string | undefined>, Buffer?]>([
    ['no signature', 401, 'WEBHOOK_UNSIGNED', { 'webhook-signature': undefined }],
    ['a token in its place', 401, 'WEBHOOK_UNSIGNED', { 'webhook-signature': undefined, ...BEARER }],
    ['another secret', 401, 'WEBHOOK_SIGNATURE_INVALID', signed({ secrets: [OTHER_SECRET] })],
    ['another id', 401, 'WEBHOOK_SIGNATURE_INVALID', { 'webhook-id': 'msg_2' }],
    [
      'a body that was changed',
      401,
      'WEBHOOK_SIGNATURE_INVALID',
      {},
      Buffer.concat([BODY, Buffer.from(' ')]),
    ],
    ['a time long past', 401, 'WEBHOOK_SIGNATURE_INVALID', signed({ atMs: NOW_MS - 301_000 })],
    ['a time to come', 401, 'WEBHOOK_SIGNATURE_INVALID', signed({ atMs: NOW_MS + 301_000 })],
    ['no time', 400, 'PARAMETER_INVALID', { 'webhook-timestamp': undefined }],
    ['a time that is none', 400, 'PARAMETER_INVALID', { 'webhook-timestamp': '1e9' }],
    ['no id', 400, 'PARAMETER_INVALID', { 'webhook-id': undefined }],
    ['another content type', 415, 'CONTENT_TYPE_UNSUPPORTED', { 'content-type': 'text/plain' }],
  ])('are refused with %s, and nothing is kept', async (_, status, code, changed, body = BODY) => {
    const { bench, send } = prepare();
    const merged = Object.entries({ ...signed(), ...changed }).filter(([, text]) => text !== undefined);
    const answer = await send(Object.fromEntries(merged) as Record<string, string>, body);
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([status, code]);
    expect(bench.appended).toEqual([]);
  });

  it('are taken at the edge of five minutes', async () => {
    const { send } = prepare();
    const edge = Math.floor(NOW_MS / 1000) * 1000;
    expect((await send(signed({ atMs: edge - 299_000 }))).statusCode).toBe(200);
    expect((await send(signed({ atMs: edge + 300_000 }))).statusCode).toBe(200);
  });

  it('are never taken without a secret', async () => {
    const { bench, send } = prepare([]);
    const answer = await send(signed());
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([
      403,
      'WEBHOOK_NOT_CONFIGURED',
    ]);
    expect(bench.appended).toEqual([]);
  });

  it('are refused where they are larger than Anthropic sends', async () => {
    const { bench, send } = prepare();
    const large = Buffer.from(JSON.stringify({ ...INFERENCE_PROMPT, padding: 'x'.repeat(10 * 1024 * 1024) }));
    expect((await send(signed({}, large), large)).statusCode).toBe(413);
    expect(bench.appended).toEqual([]);
  });
});
