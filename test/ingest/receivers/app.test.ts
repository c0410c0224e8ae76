import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import {
  BEARER,
  JSON_HEADERS,
  PROTOBUF_HEADERS,
  TOKEN,
  logsRequest,
  prepareBench,
  readRecordings,
  withMarks,
} from './setup.ts';

const HOOK = '/v1/hooks/claude-code';
const ROUTES = [HOOK, '/v1/logs', '/v1/metrics', '/v1/traces', '/v1/events'];
const OK_HOOK = '{"session_id":"s","hook_event_name":"Stop"}';

describe('receivers: what real clients send', () => {
  const recordings = readRecordings();

  it('has recordings of hooks and of both OTLP encodings', () => {
    const kinds = new Set(recordings.map((one) => `${one.url} ${one.contentType}`));
    expect(kinds).toContain(`${HOOK} application/json`);
    expect(kinds).toContain('/v1/logs application/json');
  });

  it.each(recordings.map((one) => [one.name, one] as const))(
    'accepts %s plain and gzipped, and keeps its bytes but for secrets',
    async (_name, { url, contentType, body }) => {
      const bench = prepareBench();
      const app = buildReceivers(bench.options);
      const headers = { ...BEARER, 'content-type': contentType };
      const plain = await app.inject({ method: 'POST', url, headers, payload: body });
      const zipped = await app.inject({
        method: 'POST',
        url,
        headers: { ...headers, 'content-encoding': 'gzip' },
        payload: gzipSync(body),
      });
      for (const answer of [plain, zipped]) {
        expect(answer.statusCode).toBe(200);
        const isBinary = contentType === 'application/x-protobuf';
        expect(answer.headers['content-type']).toBe(isBinary ? contentType : 'application/json');
        if (isBinary) expect(answer.body).toBe('');
        else if (/gateways|transcripts/.test(url)) {
          expect(answer.json()).toMatchObject({ accepted: expect.any(Number) as number, quarantined: [] });
        } else expect(answer.body).toBe('{}');
      }
      expect(bench.appended.map((one) => Buffer.compare(one.body, withMarks(body)))).toEqual([0, 0]);
      expect(bench.appended.every((one) => one.item_count > 0)).toBe(true);
    },
  );
});

describe('receivers: the envelope', () => {
  it('stamps provenance and keeps the idempotency key of a hook', async () => {
    const bench = prepareBench();
    const app = buildReceivers(bench.options);
    const headers = { ...JSON_HEADERS, 'idempotency-key': 'k'.repeat(256) };
    const answer = await app.inject({ method: 'POST', url: HOOK, headers, payload: OK_HOOK });
    expect(answer.json()).toEqual({});
    const [{ body, ...header }] = bench.appended as [(typeof bench.appended)[0]];
    expect(header).toEqual({
      v: 1,
      envelope_id: 'id-1',
      source: 'claude-code-hook',
      receiver: HOOK,
      principal: 'collector-1',
      received_at: '2026-01-02T03:04:05.678Z',
      content_type: 'application/json',
      item_count: 1,
      idempotency_key: 'k'.repeat(256),
    });
    expect(Buffer.from(body).toString()).toBe(OK_HOOK);
  });

  it.each([
    ['/v1/logs', 'otlp-logs'],
    ['/v1/metrics', 'otlp-metrics'],
    ['/v1/traces', 'otlp-traces'],
  ])('takes an export without items at %s for a success and keeps nothing', async (url) => {
    const bench = prepareBench();
    const app = buildReceivers(bench.options);
    const json = await app.inject({ method: 'POST', url, headers: JSON_HEADERS, payload: '{}' });
    const binary = await app.inject({ method: 'POST', url, headers: PROTOBUF_HEADERS });
    expect([json.statusCode, json.body]).toEqual([200, '{}']);
    expect([binary.statusCode, binary.body]).toEqual([200, '']);
    expect(bench.appended).toEqual([]);
  });

  it('answers only after the append resolved', async () => {
    let release: () => void = () => undefined;
    let started: () => void = () => undefined;
    const appending = new Promise<void>((resolve) => (started = resolve));
    const bench = prepareBench({
      append: () => {
        started();
        return new Promise((resolve) => (release = resolve));
      },
    });
    const app = buildReceivers(bench.options);
    let isAnswered = false;
    const answer = app.inject({ method: 'POST', url: HOOK, headers: JSON_HEADERS, payload: OK_HOOK });
    void answer.then(() => (isAnswered = true));
    await appending;
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    release();
    expect((await answer).statusCode).toBe(200);
  });

  it('acknowledges exactly what the event log took, whatever it answers and in whatever order', async () => {
    const outcome = fc.constantFrom('ok', 'LOG_PUSHBACK', 'LOG_UNAVAILABLE', 'unexpected');
    const plan = fc.array(fc.record({ outcome, ticks: fc.nat(4) }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(plan, async (steps) => {
        const bench = prepareBench({
          append: async ([envelope]) => {
            const { index } = JSON.parse(Buffer.from(envelope!.body).toString()) as { index: number };
            const step = steps[index]!;
            for (let tick = 0; tick < step.ticks; tick += 1) await Promise.resolve();
            if (step.outcome === 'unexpected') throw new TypeError('boom');
            if (step.outcome !== 'ok') throw new PipelineError(step.outcome, 'no');
          },
        });
        const app = buildReceivers(bench.options);
        const answers = await Promise.all(
          steps.map((_, index) =>
            app.inject({ method: 'POST', url: HOOK, headers: JSON_HEADERS, payload: { index } }),
          ),
        );
        expect(answers.map((one) => one.statusCode)).toEqual(
          steps.map((step) => (step.outcome === 'ok' ? 200 : 503)),
        );
        expect(bench.appended.length).toBe(steps.filter((step) => step.outcome === 'ok').length);
      }),
      { numRuns: 30 },
    );
  });
});

describe('receivers: what is kept although it cannot be sealed as what it claims', () => {
  const deep = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  const hostile: [string, string][] = [
    ['nesting beyond 64', deep(65)],
    ['nesting of 100,000', deep(100_000)],
    ['a repeated name', '{"a":1,"a":2}'],
    ['a lone surrogate', String.raw`{"a":"\ud800"}`],
    ['a number beyond a double', '{"a":1e400}'],
    ['an integer beyond 2^53', '{"a":9007199254740993}'],
  ];

  it.each(hostile)('accepts a hook with %s and counts it as quarantined', async (_name, payload) => {
    const bench = prepareBench();
    const app = buildReceivers(bench.options);
    const answer = await app.inject({ method: 'POST', url: HOOK, headers: JSON_HEADERS, payload });
    expect([answer.statusCode, answer.body]).toEqual([200, '{}']);
    expect(Buffer.from(bench.appended[0]!.body).toString()).toBe(payload);
    expect(bench.options.counters).toMatchObject({ items: 1, quarantinedItems: 1 });
  });

  it.each(hostile)('accepts a log record with %s and tells of it in partialSuccess', async (_name, value) => {
    const bench = prepareBench();
    const app = buildReceivers(bench.options);
    const payload = logsRequest(
      '{"body":{"stringValue":"sound"}}',
      `{"body":{"stringValue":"x"},"x":${value}}`,
    );
    const answer = await app.inject({ method: 'POST', url: '/v1/logs', headers: JSON_HEADERS, payload });
    expect(answer.statusCode).toBe(200);
    const { partialSuccess } = answer.json<{ partialSuccess: Record<string, string> }>();
    expect(partialSuccess['rejectedLogRecords']).toBe('1');
    expect(partialSuccess['errorMessage']).toMatch(/quarantine/);
    expect(bench.appended[0]).toMatchObject({ item_count: 2, source: 'otlp-logs' });
  });

  it('accepts what is sound in a native batch and names the rest by index, reason and place', async () => {
    const bench = prepareBench();
    const app = buildReceivers(bench.options);
    const payload = `[{"type":"tool.requested"},{"type":5},{"type":"tool.requested","content":{"a":1,"a":2}}]`;
    const answer = await app.inject({ method: 'POST', url: '/v1/events', headers: JSON_HEADERS, payload });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      accepted: 1,
      quarantined: [
        { index: 1, reason: 'item_shape_invalid', pointer: '/1/type' },
        { index: 2, reason: 'json_duplicate_key', pointer: '/2/content/a' },
      ],
    });
    expect(bench.appended[0]!.item_count).toBe(3);
  });

  it('counts NDJSON items by lines that hold something', async () => {
    const bench = prepareBench();
    const app = buildReceivers(bench.options);
    const headers = { ...BEARER, 'content-type': 'application/x-ndjson; charset=UTF-8' };
    const payload = '{"type":"tool.requested"}\r\n\n{"type":"tool.requested"}';
    const answer = await app.inject({ method: 'POST', url: '/v1/events', headers, payload });
    expect(answer.json()).toEqual({ accepted: 2, quarantined: [] });
    expect(bench.appended[0]).toMatchObject({ item_count: 2, content_type: 'application/x-ndjson' });
  });

  it('takes an empty array of events for a success and keeps nothing', async () => {
    const bench = prepareBench();
    const app = buildReceivers(bench.options);
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: JSON_HEADERS,
      payload: '[]',
    });
    expect(answer.json()).toEqual({ accepted: 0, quarantined: [] });
    expect(bench.appended).toEqual([]);
  });
});

describe('receivers: failures on OTLP routes', () => {
  it.each([
    ['broken JSON', JSON_HEADERS, Buffer.from('{"a"'), 'line 1 column'],
    ['broken protobuf', PROTOBUF_HEADERS, Buffer.from([0x0a, 0xff]), 'byte'],
  ])('answers %s with a problem that names the place', async (_, headers, payload, place) => {
    const app = buildReceivers(prepareBench().options);
    const answer = await app.inject({ method: 'POST', url: '/v1/logs', headers, payload });
    expect(answer.statusCode).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.json()).toMatchObject({
      code: 'BODY_MALFORMED',
      status: 400,
      message: expect.stringContaining(place) as string,
      errors: [{ pointer: expect.stringContaining(place) as string }],
    });
  });

  it('answers in protobuf as google.rpc.Status to a client that asks for it', async () => {
    const app = buildReceivers(prepareBench().options);
    const payload = Buffer.from([0x0a, 0xff]);
    const headers = { ...PROTOBUF_HEADERS, accept: 'application/x-protobuf' };
    const answer = await app.inject({ method: 'POST', url: '/v1/logs', headers, payload });
    expect(answer.statusCode).toBe(400);
    expect(answer.headers['content-type']).toBe('application/x-protobuf');
    // Member 1 as varint 3 (invalid argument), member 2 as a string to the end.
    expect([...answer.rawPayload.subarray(0, 3)]).toEqual([0x08, 3, 0x12]);
    expect(answer.rawPayload[3]).toBe(answer.rawPayload.length - 4);
  });

  it.each(['/v1/logs', '/v1/metrics', '/v1/traces'])(
    'refuses an envelope of another shape at %s',
    async (url) => {
      const app = buildReceivers(prepareBench().options);
      for (const payload of ['[]', '5', 'null', '"x"']) {
        const answer = await app.inject({ method: 'POST', url, headers: JSON_HEADERS, payload });
        expect(answer.statusCode).toBe(400);
      }
    },
  );
});

describe('receivers: overload and failure of the event log', () => {
  const failures: [string, () => Error][] = [
    ['LOG_PUSHBACK', () => new PipelineError('LOG_PUSHBACK', 'full')],
    ['LOG_UNAVAILABLE', () => new PipelineError('LOG_UNAVAILABLE', 'no space')],
    ['an unknown error', () => new TypeError('boom')],
  ];

  it.each(failures.flatMap(([name, make]) => ROUTES.map((url) => [name, url, make] as const)))(
    'answers %s at %s with 503 and Retry-After',
    async (_name, url, make) => {
      const bench = prepareBench({ append: () => Promise.reject(make()) });
      const app = buildReceivers(bench.options);
      const payloads: Record<string, string> = {
        '/v1/logs': logsRequest('{}'),
        '/v1/metrics':
          '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{}]}}]}]}]}',
        '/v1/traces': '{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}',
        '/v1/events': '{"type":"tool.requested"}',
      };
      const payload = payloads[url] ?? OK_HOOK;
      const answer = await app.inject({ method: 'POST', url, headers: JSON_HEADERS, payload });
      expect(answer.statusCode).toBe(503);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      expect(bench.options.counters).toMatchObject({ requests: 1, items: 0, bytes: 0, inFlightBytes: 0 });
    },
  );
});

describe('receivers: what they log and count', () => {
  it('never logs bodies, tokens or header values, whatever happens', async () => {
    const canary = 'canary-prompt-31337';
    const bench = prepareBench({ append: () => Promise.reject(new Error('disk')) });
    const app = buildReceivers(bench.options);
    const payloads = [
      `{"prompt":"${canary}"}`,
      `{"prompt":"${canary}`,
      `{"${canary}":1,"${canary}":2}`,
      canary,
    ];
    for (const url of [...ROUTES, `/v1/${canary}`, `/v1/logs?q=${canary}`]) {
      for (const payload of payloads) {
        for (const authorization of [`Bearer ${TOKEN}`, `Bearer ${canary}`]) {
          const headers = { authorization, 'content-type': 'application/json', 'idempotency-key': canary };
          await app.inject({ method: 'POST', url, headers, payload });
        }
      }
    }
    expect(bench.logged()).toContain('LOG_UNAVAILABLE');
    expect(bench.logged()).not.toContain(canary);
    expect(bench.logged()).not.toContain(TOKEN);
  });

  it('counts requests, items, bytes and refusals', async () => {
    const bench = prepareBench();
    const app = buildReceivers(bench.options);
    const send = (payload: string) =>
      app.inject({ method: 'POST', url: '/v1/logs', headers: JSON_HEADERS, payload });
    const good = logsRequest('{}', '5');
    await send(good);
    await send('{');
    expect(bench.options.counters).toEqual({
      requests: 2,
      items: 2,
      quarantinedItems: 1,
      bytes: good.length,
      inFlightBytes: 0,
      refused: { BODY_MALFORMED: 1 },
      itemsBySource: { 'otlp-logs': 2 },
    });
  });
});
