import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { bytesMember } from '../../../connectors/wire/otlp/export-response.ts';
import { JSON_HEADERS, PROTOBUF_HEADERS, prepareBench } from './setup.ts';

const normalise = createNormaliser({
  surrogates: createSurrogates(Buffer.alloc(32, 7)),
});

async function send(url: string, body: Buffer | object, splitBySession = false) {
  const bench = prepareBench({ splitBySession });
  const isBinary = Buffer.isBuffer(body);
  const answer = await buildReceivers(bench.options).inject({
    method: 'POST',
    url,
    headers: isBinary ? PROTOBUF_HEADERS : JSON_HEADERS,
    payload: isBinary ? body : JSON.stringify(body),
  });
  const records = bench.appended.flatMap((envelope) => normalise(envelope).records);
  return { answer, records, envelopes: bench.appended };
}

const record = { body: { stringValue: 'x' } };
const inSession = (id: string) => ({
  ...record,
  attributes: [{ key: 'session.id', value: { stringValue: id } }],
});
const field = (id: number, payload: Buffer | string): Buffer => {
  const bytes = Buffer.from(payload);
  const tag = id < 16 ? [(id << 3) | 2] : [((id << 3) & 0x7f) | 0x82, id >> 4];
  return Buffer.concat([Buffer.from([...tag, bytes.length]), bytes]);
};

describe('an OTLP export that says something but has no items', () => {
  it.each<[string, string, object, string, string]>([
    [
      'of another signal',
      '/v1/logs',
      { resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'x' }] }] }] },
      'no resourceLogs; resourceSpans belong to /v1/traces',
      '/resourceSpans',
    ],
    [
      'of another signal in snake case',
      '/v1/traces',
      { resource_logs: [{ scope_logs: [{ log_records: [record] }] }] },
      'no resourceSpans; resourceLogs belong to /v1/logs',
      '/resource_logs',
    ],
    ['of an unknown member', '/v1/logs', { zzz: [1] }, 'no resourceLogs', '/zzz'],
    [
      'of a version before 0.15',
      '/v1/logs',
      { resourceLogs: [{ instrumentationLibraryLogs: [{ logRecords: [record] }] }] },
      'no scopeLogs; instrumentationLibraryLogs is of OTLP before 0.15',
      '/resourceLogs/0/instrumentationLibraryLogs',
    ],
    [
      'with groups of another signal',
      '/v1/logs',
      { resourceLogs: [{ scopeSpans: [{ spans: [{ name: 'x' }] }] }] },
      'no scopeLogs; scopeSpans belong to /v1/traces',
      '/resourceLogs/0/scopeSpans',
    ],
    [
      'with items of another signal',
      '/v1/metrics',
      { resourceMetrics: [{ scopeMetrics: [{ logRecords: [record] }] }] },
      'no metrics; logRecords belong to /v1/logs',
      '/resourceMetrics/0/scopeMetrics/0/logRecords',
    ],
  ])('is refused where it is %s', async (_, url, body, detail, pointer) => {
    const { answer, envelopes } = await send(url, body);
    expect([answer.statusCode, envelopes]).toEqual([400, []]);
    const problem = answer.json<{ code: string; detail: string; errors: { pointer: string }[] }>();
    expect(problem.code).toBe('BODY_MALFORMED');
    expect(problem.detail).toContain(detail);
    expect(problem.errors[0]?.pointer).toBe(pointer);
  });

  it.each<[string, Buffer, string]>([
    ['only a field that this version does not know', field(2, 'hello'), 'no resourceLogs'],
    [
      'the field of a version before 0.15',
      field(1, field(1000, field(2, field(5, field(1, 'x'))))),
      'no scopeLogs; field 1000 is of OTLP before 0.15',
    ],
  ])('is refused in protobuf with %s', async (_, body, detail) => {
    const { answer, envelopes } = await send('/v1/logs', body);
    expect([answer.statusCode, envelopes]).toEqual([400, []]);
    expect(answer.json<{ detail: string }>().detail).toContain(detail);
  });

  it.each<[string, object | Buffer]>([
    ['an empty object', {}],
    ['an empty list', { resourceLogs: [] }],
    [
      'groups without items',
      { resourceLogs: [{ resource: {}, scopeLogs: [{ scope: {}, logRecords: [] }] }] },
    ],
    ['empty members of another signal', { resourceSpans: [], zzz: null }],
    ['an empty message', Buffer.alloc(0)],
  ])('is still a success with %s', async (_, body) => {
    const { answer, envelopes } = await send('/v1/logs', body);
    expect([answer.statusCode, envelopes]).toEqual([200, []]);
  });
});

describe('what an OTLP export says beside its sound items', () => {
  const sound = { resourceLogs: [{ scopeLogs: [{ logRecords: [inSession('a'), inSession('b')] }] }] };

  it.each([false, true])('keeps an unknown member of the request as one item, split: %s', async (split) => {
    const { answer, records, envelopes } = await send('/v1/logs', { ...sound, later: [{ a: 1 }] }, split);
    expect(answer.json()).toMatchObject({ partialSuccess: { rejectedLogRecords: '1' } });
    expect(records.map(({ type }) => type)).toEqual(['event.observed', 'event.observed', 'quarantined']);
    expect(records[2]?.facts).toMatchObject({ quarantine_pointer: '/later' });
    const kept = (records[2]?.content as { body_base64: string }).body_base64;
    expect(Buffer.from(kept, 'base64').toString()).toBe('[{"a":1}]');
    expect(envelopes.reduce((sum, { item_count }) => sum + item_count, 0)).toBe(records.length);
  });

  it.each([false, true])(
    'keeps unknown fields of a protobuf request as one item, split: %s',
    async (split) => {
      const inside = (id: string) =>
        bytesMember(2, field(6, Buffer.concat([field(1, 'session.id'), field(2, field(1, id))])));
      const groups = field(1, field(2, Buffer.concat([inside('a'), inside('b')])));
      const { records } = await send(
        '/v1/logs',
        Buffer.concat([groups, field(9, 'x'), field(8, 'y')]),
        split,
      );
      expect(records.map(({ type }) => type)).toEqual(['event.observed', 'event.observed', 'quarantined']);
      const kept = (records[2]?.content as { body_base64: string }).body_base64;
      expect(Buffer.from(kept, 'base64')).toEqual(Buffer.concat([field(9, 'x'), field(8, 'y')]));
    },
  );

  it.each([false, true])(
    'keeps a group without items that says more than it should, split: %s',
    async (split) => {
      const old = { instrumentationLibraryLogs: [{ logRecords: [record] }] };
      const body = { resourceLogs: [old, ...sound.resourceLogs, { scopeLogs: [{ zzz: 1 }] }] };
      const { answer, records, envelopes } = await send('/v1/logs', body, split);
      expect(answer.json()).toMatchObject({ partialSuccess: { rejectedLogRecords: '2' } });
      const types = records.map(({ type }) => type).sort();
      expect(types).toEqual(['event.observed', 'event.observed', 'quarantined', 'quarantined']);
      expect(envelopes.reduce((sum, { item_count }) => sum + item_count, 0)).toBe(records.length);
      const kept = records
        .flatMap(({ content }) =>
          typeof content?.['body_base64'] === 'string' ? [content['body_base64']] : [],
        )
        .map((text) => Buffer.from(text, 'base64').toString())
        .join('');
      expect(kept).toContain('instrumentationLibraryLogs');
      expect(kept).toContain('zzz');
    },
  );

  it('keeps a metric without points that says more than it should', async () => {
    const metrics = [
      { name: 'a', gauge: { dataPoints: [], later: 1 } },
      { name: 'b', gauge: { dataPoints: [{ asInt: '1' }] } },
    ];
    const { records } = await send('/v1/metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
    expect(records.map(({ type }) => type).sort()).toEqual(['metric.observed', 'quarantined']);
  });
});

describe('a secret in the value of an attribute in snake case', () => {
  it('is found by the name of the attribute', async () => {
    const secret = 'correct-horse-battery-staple-4711';
    const attribute = (name: string) => ({ value: { [name]: secret }, key: 'password' });
    const bodyOf = (name: string) => ({
      resource_logs: [{ scope_logs: [{ log_records: [{ attributes: [attribute(name)] }] }] }],
    });
    for (const name of ['stringValue', 'string_value']) {
      const { records } = await send('/v1/logs', bodyOf(name));
      expect(records).toHaveLength(1);
      expect(JSON.stringify(records)).not.toContain(secret);
    }
  });
});
