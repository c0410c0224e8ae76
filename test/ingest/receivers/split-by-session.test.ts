import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { keyOf, type Envelope } from '../../../schemas/envelope.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { MERGED } from './split/merged.ts';
import { BEARER, JSON_HEADERS, logsRequest, prepareBench, readRecordings, withMarks } from './setup.ts';

const URLS: Readonly<Record<string, string>> = {
  'otlp-logs': '/v1/logs',
  'otlp-metrics': '/v1/metrics',
  'otlp-traces': '/v1/traces',
  native: '/v1/events',
};
const requestOf = ({ source, content_type, body }: Envelope) => ({
  method: 'POST' as const,
  url: URLS[source]!,
  headers: { ...BEARER, 'content-type': content_type, 'idempotency-key': 'k' },
  payload: Buffer.from(body),
});
const BODIES = MERGED.map((one) => [one.name, one.envelope] as const);
const record = (session: string) =>
  `{"attributes":[{"key":"session.id","value":{"stringValue":"${session}"}}]}`;

const normalise = createNormaliser({
  surrogates: createSurrogates(new Uint8Array(32).fill(3)),
});

const LIMITS = { maxBodyBytes: 4_000_000, maxInflatedBytes: 4_000_000 };

/** Receivers that split, and the appends that they made. */
function prepareSplitting(append: () => Promise<void> = () => Promise.resolve()) {
  const appends: (readonly Envelope[])[] = [];
  const bench = prepareBench({
    splitBySession: true,
    limits: LIMITS,
    append: async (envelopes) => {
      await append();
      appends.push(envelopes);
    },
  });
  return { app: buildReceivers(bench.options), appends, counters: bench.options.counters };
}

describe('receivers that split by session', () => {
  it.each(BODIES)('append all parts of a body at once and answer as others do: %s', async (_, body) => {
    const plain = prepareBench({ limits: LIMITS });
    const expected = await buildReceivers(plain.options).inject(requestOf(body));
    const { app, appends, counters } = prepareSplitting();
    const answer = await app.inject(requestOf(body));
    expect([answer.statusCode, answer.body]).toEqual([200, expected.body]);
    expect(appends).toHaveLength(1);
    const [parts] = appends as [Envelope[]];
    expect(parts.length).toBeGreaterThan(2);
    const [whole] = plain.appended as [Envelope];
    expect(parts.reduce((sum, { item_count }) => sum + item_count, 0)).toBe(whole.item_count);
    for (const part of parts) {
      const { principal, received_at, receiver, idempotency_key } = whole;
      expect(part).toMatchObject({
        principal,
        received_at,
        receiver,
        idempotency_key,
        partition_key: keyOf(part),
      });
    }
    expect(counters).toEqual(plain.options.counters);
  });

  it.each(BODIES)('keep nothing and say 503 where the append fails: %s', async (_, body) => {
    const failures = [new PipelineError('LOG_PUSHBACK', 'full'), new TypeError('boom')];
    const { app, appends, counters } = prepareSplitting(() => Promise.reject(failures.shift()!));
    expect((await app.inject(requestOf(body))).statusCode).toBe(503);
    expect((await app.inject(requestOf(body))).statusCode).toBe(503);
    expect(appends).toEqual([]);
    expect(counters.items).toBe(0);
  });

  it.each(BODIES)('say 413 where the event log can never take the body: %s', async (_, body) => {
    const { app, appends, counters } = prepareSplitting(() =>
      Promise.reject(new PipelineError('BODY_TOO_LARGE', 'larger than the topic takes')),
    );
    const answer = await app.inject(requestOf(body));
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([413, undefined]);
    expect(appends).toEqual([]);
    expect(counters).toMatchObject({ items: 0, refused: { BODY_TOO_LARGE: 1 } });
  });

  it('keep the bytes of every recorded body but those of a resumed session, which name the one it began with', async () => {
    const { app, appends } = prepareSplitting();
    const split: string[] = [];
    for (const { name, url, contentType, body } of readRecordings()) {
      const headers = { ...BEARER, 'content-type': contentType };
      await app.inject({ method: 'POST', url, headers, payload: body });
      const envelopes = appends.at(-1)!;
      for (const { partition_key } of envelopes) expect(partition_key).toMatch(/^session:[0-9a-f-]{36}$/);
      if (envelopes.length > 1) split.push(name);
      else
        expect([Buffer.compare(envelopes[0]!.body, withMarks(body)), envelopes[0]!.part]).toEqual([
          0,
          undefined,
        ]);
    }
    expect(split).toEqual(['resumed/0019_v1_logs.json', 'resumed/0020_v1_metrics.json']);
  });

  it('tell a client of quarantined items as they do of a whole body', async () => {
    const { app, appends } = prepareSplitting();
    const payload = logsRequest(record('a'), '{"x":1,"x":2}', record('b'));
    const answer = await app.inject({ method: 'POST', url: '/v1/logs', headers: JSON_HEADERS, payload });
    expect(answer.json()).toMatchObject({ partialSuccess: { rejectedLogRecords: '1' } });
    expect(appends[0]!.map(({ partition_key }) => partition_key)).toEqual([
      'session:a',
      'source:otlp-logs',
      'session:b',
    ]);
  });

  it('give an item without a session the same key and id, whichever collector delivers it and whatever beside it', async () => {
    const withoutSession = '{"timeUnixNano":"7","body":{"stringValue":"started"}}';
    const kept: Envelope[] = [];
    for (const [collector, payload] of [
      ['collector-1', logsRequest(record('a'), withoutSession)],
      ['collector-2', logsRequest(withoutSession)],
    ] as const) {
      const { options, appended } = prepareBench({
        splitBySession: true,
        verifyToken: () => ({ id: collector, role: 'collector' }) as const,
      });
      await buildReceivers(options).inject({
        method: 'POST',
        url: '/v1/logs',
        headers: JSON_HEADERS,
        payload,
      });
      kept.push(appended.at(-1)!);
    }
    expect(kept.map(({ principal }) => principal)).toEqual(['collector-1', 'collector-2']);
    expect(new Set(kept.map(keyOf))).toEqual(new Set(['source:otlp-logs']));
    const ids = kept.flatMap((envelope) => normalise(envelope).records.map(({ id }) => id));
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });

  it('hold what the parts repeat against the share of the collector until it is answered', async () => {
    const resource = `{"attributes":[{"key":"k","value":{"stringValue":"${'x'.repeat(1000)}"}}]}`;
    const scopes = `[{"logRecords":[${record('a')},${record('b')},${record('c')}]}]`;
    const payload = `{"resourceLogs":[{"resource":${resource},"scopeLogs":${scopes}}]}`;
    let held = 0;
    const { app, appends, counters } = prepareSplitting(() => {
      held = counters.inFlightBytes;
      return Promise.resolve();
    });
    await app.inject({ method: 'POST', url: '/v1/logs', headers: JSON_HEADERS, payload });
    expect(held).toBe(appends[0]!.reduce((sum, { body }) => sum + body.length, 0));
    expect(held).toBeGreaterThan(payload.length + 2000);
    expect(counters.inFlightBytes).toBe(0);
  });

  it('append nothing for an export without items', async () => {
    const { app, appends } = prepareSplitting();
    await app.inject({ method: 'POST', url: '/v1/logs', headers: JSON_HEADERS, payload: '{}' });
    expect(appends).toEqual([]);
  });
});

describe('receivers that do not split', () => {
  it('write neither key nor part', async () => {
    const bench = prepareBench();
    const payload = logsRequest(record('a'), record('b'));
    await buildReceivers(bench.options).inject({
      method: 'POST',
      url: '/v1/logs',
      headers: JSON_HEADERS,
      payload,
    });
    const [{ body, ...header } = expect.fail('nothing appended')] = bench.appended;
    expect(Object.keys(header).filter((name) => name.includes('part'))).toEqual([]);
    expect(Buffer.from(body).toString()).toBe(payload);
  });
});
