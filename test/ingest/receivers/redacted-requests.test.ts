import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../ingest/framing.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { githubHeaders } from '../../support/github-deliveries.ts';
import { BEARER, FINGERPRINT, JSON_HEADERS, prepareBench, PROTOBUF_HEADERS } from './setup.ts';
import { encodeLogs } from './encode-logs.ts';
import { WEBHOOK_SECRETS } from './webhook-bases.ts';

const TOKEN = ['gh', 'p_abcdefghijklmnopqrstuvwxyz0123456789'].join('');
const KEY_ID = ['AK', 'IAIOSFODNN7EXAMPLE'].join('');
const MARK = `[secret:aws_access_key_id:${FINGERPRINT(KEY_ID)}]`;
const normalise = createNormaliser({
  surrogates: createSurrogates(new Uint8Array(32).fill(7)),
});
const REDACTED = { count: 1, types: ['aws_access_key_id'] };

const requests: readonly [string, string, Record<string, string>, string | Buffer][] = [
  ['a hook call', '/v1/hooks/claude-code', JSON_HEADERS, hook(KEY_ID)],
  ['OTLP/JSON', '/v1/logs', JSON_HEADERS, logs(KEY_ID)],
  ['OTLP in protobuf', '/v1/logs', PROTOBUF_HEADERS, encodeLogs({ command: KEY_ID })],
  ['native JSON', '/v1/events', JSON_HEADERS, JSON.stringify({ type: 'a', content: { text: KEY_ID } })],
  [
    'native NDJSON',
    '/v1/events',
    { ...BEARER, 'content-type': 'application/x-ndjson' },
    `{"type":"a"}\n{"type":"b","content":{"text":"${KEY_ID}"}}\n`,
  ],
];

function hook(command: string): string {
  return JSON.stringify({ session_id: 's', hook_event_name: 'PreToolUse', tool_input: { command } });
}

function logs(stringValue: string): string {
  const attributes = [{ key: 'command', value: { stringValue } }];
  return JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [{ attributes }] }] }] });
}

describe('receivers: secrets', () => {
  it.each(requests)(
    'take it out of %s before the envelope is appended, and the envelope says so',
    async (_, url, headers, payload) => {
      const bench = prepareBench();
      const answer = await buildReceivers(bench.options).inject({ method: 'POST', url, headers, payload });
      expect(answer.statusCode).toBe(200);
      const [envelope] = bench.appended;
      expect(envelope!.redacted).toEqual(REDACTED);
      expect(envelope!.body.toString()).toContain(MARK);
      expect(envelope!.body.toString()).not.toContain(KEY_ID);
      expect(decodeEnvelope(encodeEnvelope(envelope!), 0n).redacted).toEqual(REDACTED);
      expect(bench.logged() + answer.body).not.toContain(KEY_ID);
    },
  );

  it.each(requests)(
    'keep the bytes of %s that holds none, and say nothing',
    async (_, url, headers, payload) => {
      const bench = prepareBench();
      const clean = Buffer.from(
        payload.toString('latin1').replace(KEY_ID, 'x'.repeat(KEY_ID.length)),
        'latin1',
      );
      await buildReceivers(bench.options).inject({ method: 'POST', url, headers, payload: clean });
      expect(bench.appended[0]!.body).toEqual(clean);
      expect(bench.appended[0]).not.toHaveProperty('redacted');
    },
  );

  it('keep no secret of an item that goes to quarantine', async () => {
    const bench = prepareBench();
    const payload = `{"hook_event_name":"Stop","a":1,"a":2,"text":"${KEY_ID}"}`;
    await buildReceivers(bench.options).inject({
      method: 'POST',
      url: '/v1/hooks/claude-code',
      headers: JSON_HEADERS,
      payload,
    });
    expect(bench.appended[0]!.body.toString()).toBe(payload.replace(KEY_ID, MARK));
    expect(bench.options.counters.quarantinedItems).toBe(1);
  });

  it('take them out of the parts of a body that is split by session', async () => {
    const bench = prepareBench({ splitBySession: true });
    const lines = ['a', 'b'].map((session_id) =>
      JSON.stringify({ type: 'x', session_id, content: { text: KEY_ID } }),
    );
    const headers = { ...BEARER, 'content-type': 'application/x-ndjson' };
    const payload = lines.join('\n');
    await buildReceivers(bench.options).inject({ method: 'POST', url: '/v1/events', headers, payload });
    expect(bench.appended.map(({ body }) => body.toString())).toEqual(
      lines.map((line) => expect.stringContaining(line.replace(KEY_ID, MARK)) as string),
    );
    expect(bench.appended.map(({ redacted }) => redacted?.count)).toEqual([2, 2]);
  });

  it('take one out of the idempotency key', async () => {
    const bench = prepareBench();
    const headers = { ...JSON_HEADERS, 'idempotency-key': `once-${KEY_ID}` };
    await buildReceivers(bench.options).inject({
      method: 'POST',
      url: '/v1/hooks/claude-code',
      headers,
      payload: hook('ls'),
    });
    expect(bench.appended[0]!.idempotency_key).toBe(`once-${MARK}`);
  });

  it.each([
    [String.raw`{"command":"\u0041${KEY_ID.slice(1)}"}`, KEY_ID],
    [String.raw`{"command":"psql postgres:\/\/bob:s3cretpw77@db\/x"}`, 's3cretpw77'],
  ])(
    'take one out of JSON text that a source parses, so that no record holds it: %s',
    async (text, secret) => {
      const bench = prepareBench();
      const call = { id: 't', function: { name: 'x', arguments: text } };
      const messages = [{ role: 'assistant', tool_calls: [call] }];
      const answer = await buildReceivers(bench.options).inject({
        method: 'POST',
        url: '/v1/gateways/litellm',
        headers: JSON_HEADERS,
        payload: JSON.stringify([{ id: '1', messages }]),
      });
      expect(answer.statusCode).toBe(200);
      const { records } = normalise(bench.appended[0]!);
      expect(JSON.stringify(records)).toContain(FINGERPRINT(secret));
      expect(JSON.stringify(records)).not.toContain(secret);
    },
  );

  it('take one out of a header that names the event, and of the records of its delivery', async () => {
    const bench = prepareBench({ webhookSecrets: WEBHOOK_SECRETS });
    const gitlab = {
      ...JSON_HEADERS,
      'x-gitlab-token': WEBHOOK_SECRETS.gitlab[0]!,
      'x-gitlab-event': KEY_ID,
      'x-gitlab-event-uuid': KEY_ID,
    };
    const github = githubHeaders(TOKEN, Buffer.from('{"a":1}'));
    const app = buildReceivers(bench.options);
    for (const [url, headers] of [
      ['/v1/webhooks/gitlab', gitlab],
      ['/v1/webhooks/github', { 'content-type': 'application/json', ...github }],
    ] as const) {
      const answer = await app.inject({ method: 'POST', url, headers, payload: '{"a":1}' });
      expect(answer.statusCode).toBeLessThan(300);
    }
    expect(bench.appended.map(({ event_name }) => event_name)).toEqual([
      MARK,
      `[secret:github_token:${FINGERPRINT(TOKEN)}]`,
    ]);
    const records = bench.appended.flatMap((envelope) => normalise(envelope).records);
    expect(records).toHaveLength(2);
    expect(JSON.stringify([records, bench.logged()])).not.toMatch(new RegExp(`${KEY_ID}|${TOKEN}`));
  });

  it('refuse a run of a collector that is named by a secret, because a mark names none', async () => {
    const bench = prepareBench();
    const headers = {
      ...JSON_HEADERS,
      'affidavit-collector-boot': TOKEN,
      'affidavit-collector-sequence': '1',
    };
    const url = '/v1/hooks/claude-code';
    const answer = await buildReceivers(bench.options).inject({
      method: 'POST',
      url,
      headers,
      payload: hook('ls'),
    });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([400, 'PARAMETER_INVALID']);
    expect(bench.appended).toEqual([]);
    expect(bench.logged() + answer.body).not.toContain(TOKEN);
  });

  it('refuse a body whose secret they cannot take out, and keep and log nothing of it', async () => {
    const bench = prepareBench();
    const payload = `{"hook_event_name":"Stop","deep":${'['.repeat(20_000)}"${KEY_ID}"${']'.repeat(20_000)}}`;
    const answer = await buildReceivers(bench.options).inject({
      method: 'POST',
      url: '/v1/hooks/claude-code',
      headers: JSON_HEADERS,
      payload,
    });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([400, 'BODY_MALFORMED']);
    expect(bench.appended).toEqual([]);
    expect(bench.logged() + answer.body).not.toContain(KEY_ID);
  });
});
