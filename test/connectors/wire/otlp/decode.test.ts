import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeOtlp } from '../../../../connectors/wire/otlp/decode.ts';
import type { OtlpSignal } from '../../../../connectors/wire/otlp/descriptor.ts';
import { MAX_ITEMS, MAX_SHARED_BYTES } from '../../../../connectors/wire/body.ts';
import { PipelineError } from '../../../../schemas/errors.ts';
import type { JsonObject, JsonValue } from '../../../../schemas/json.ts';
import { toProtobuf } from './to-protobuf.ts';

const bytesOf = (value: unknown) =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const decodeJson = (signal: OtlpSignal, value: unknown) =>
  decodeOtlp(signal, 'application/json', bytesOf(value));
const decodeBinary = (signal: OtlpSignal, bytes: Uint8Array) =>
  decodeOtlp(signal, 'application/x-protobuf', bytes);

function logs(...logRecords: JsonValue[]): JsonObject {
  return { resourceLogs: [{ scopeLogs: [{ logRecords }] }] };
}

function recordOf(value: JsonObject): JsonObject {
  const { items, problems } = decodeJson('logs', logs(value));
  expect(problems).toEqual([]);
  return items[0]?.record ?? {};
}

const attribute = (key: string, value: JsonValue) => ({ key, value });

describe('the normal form', () => {
  it('writes 64-bit integers as numbers where safe and else as decimal strings, from numbers and strings alike', () => {
    const values = ['122', 122, '9007199254740991', '9007199254740993', '-9223372036854775808'];
    const record = recordOf({
      attributes: values.map((intValue, index) => attribute(`a${index}`, { intValue })),
    });
    expect(Object.values(record['attributes'] as JsonObject)).toEqual([
      122,
      122,
      9007199254740991,
      '9007199254740993',
      '-9223372036854775808',
    ]);
    expect(recordOf({ timeUnixNano: 1795248800000000000 })).toEqual(
      recordOf({ timeUnixNano: '1795248800000000000' }),
    );
  });

  it('takes doubles as numbers, as text and as the three words that JSON has no number for', () => {
    const values = [0.5, '0.5', '-1e3', -0, 'NaN', '-Infinity'];
    const record = recordOf({
      attributes: values.map((doubleValue, index) => attribute(`a${index}`, { doubleValue })),
    });
    const expected = ['0.5', '0.5', -1000, 0, 'NaN', '-Infinity'];
    expect(Object.values(record['attributes'] as JsonObject)).toEqual(expected);
  });

  it('makes lists of key-value pairs objects and keeps __proto__ as a name', () => {
    const pair = attribute('__proto__', {
      kvlistValue: { values: [attribute('b', { arrayValue: {} }), attribute('c', {})] },
    });
    const text = JSON.stringify(recordOf({ attributes: [pair] }));
    expect(text).toBe('{"attributes":{"__proto__":{"b":[],"c":null}}}');
  });

  it('keeps members that OTLP does not define, at every level', () => {
    const body = {
      resourceLogs: [
        {
          resource: { attributes: [], shape: 'new' },
          zone: 1,
          schemaUrl: 'https://schema.example/1',
          scopeLogs: [
            {
              scope: { name: 's', kind: 'k' },
              logRecords: [{ priority: [0.5], body: { stringValue: 'x', index: 3 } }],
            },
          ],
        },
      ],
    };
    const { resource, scope, record } = decodeJson('logs', body).items[0] ?? {};
    expect(resource).toEqual({
      unknown: { shape: 'new' },
      group: { schemaUrl: 'https://schema.example/1', unknown: { zone: 1 } },
    });
    expect(scope).toEqual({ name: 's', unknown: { kind: 'k' } });
    expect(record).toEqual({ body: { value: 'x', unknown: { index: 3 } }, unknown: { priority: ['0.5'] } });
  });

  it('keeps every unknown member of JSON, also where one is named as the protobuf reader names its own', () => {
    const record = { $unknowns: [], priority: 1 };
    expect(recordOf(record)).toEqual({ unknown: record });
  });

  it('keeps protobuf fields that OTLP does not define', () => {
    const level = (tag: number, inner: Uint8Array) =>
      Buffer.concat([Buffer.from([tag, inner.length]), inner]);
    const unknownField = Buffer.from([0xf8, 0x07, 0x2a]);
    const body = level(0x0a, level(0x12, level(0x12, unknownField)));
    const { items } = decodeBinary('logs', body);
    expect(items[0]?.record).toEqual({ unknown: { protobuf_fields: [unknownField.toString('base64')] } });
  });

  it('takes absent and null arrays for empty ones, and an empty request for no items', () => {
    for (const body of [
      {},
      { resourceLogs: null },
      { resourceLogs: [{}] },
      { resourceLogs: [{ scopeLogs: [{}] }] },
    ]) {
      expect(decodeJson('logs', body)).toMatchObject({ items: [], problems: [], unitCount: 0 });
    }
    expect(decodeBinary('logs', new Uint8Array())).toMatchObject({ unitCount: 0 });
  });

  it('keeps a metric of an unknown kind as one item', () => {
    const metric = { name: 'm', sketch: { dataPoints: [{ q: 1 }] } };
    const { items } = decodeJson('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] });
    expect(items.map((item) => item.metric)).toEqual([
      { name: 'm', unknown: { sketch: { dataPoints: [{ q: 1 }] } } },
    ]);
  });
});

describe('problems', () => {
  it.each<[string, JsonValue]>([
    ['a number', 5],
    ['null', null],
    ['attributes that are no array', { attributes: {} }],
    ['an attribute without an object', { attributes: [7] }],
    ['a key that is no text', { attributes: [{ key: 1, value: {} }] }],
    ['a value with two variants', { body: { stringValue: 'a', intValue: 1 } }],
    ['an integer that is none', { body: { intValue: '1.5' } }],
    ['an integer beyond 64 bits', { body: { intValue: '9223372036854775808' } }],
    ['a time before the epoch', { timeUnixNano: '-1' }],
    ['an id that is not hex', { traceId: 'zz' }],
    ['an id that is far too long', { traceId: 'ab'.repeat(33) }],
    ['a double that text cannot give exactly', { body: { doubleValue: '0.1000000000000000055' } }],
    ['bytes that are not base64', { body: { bytesValue: 'a b' } }],
    ['a truth value as text', { body: { boolValue: 'true' } }],
    ['an enum by name', { severityNumber: 'SEVERITY_NUMBER_INFO' }],
  ])('flags %s and leaves the other items alone', (_, bad) => {
    const { items, problems, unitCount, unitBytes } = decodeJson(
      'logs',
      logs({ body: {} }, bad, { severityText: 'x' }),
    );
    const unit = '/resourceLogs/0/scopeLogs/0/logRecords/1';
    expect(items.map(({ index }) => index)).toEqual([0, 2]);
    expect(problems).toMatchObject([{ index: 1, unit_pointer: unit, reason: 'item_shape_invalid' }]);
    expect(problems[0]?.pointer.startsWith(unit)).toBe(true);
    expect(unitCount).toBe(3);
    expect(textOf(unitBytes().get(unit))).toBe(JSON.stringify(bad));
  });

  it('flags an attribute key that comes twice, in both encodings', () => {
    const twice = { attributes: [attribute('a', { intValue: 1 }), attribute('a', { intValue: 2 })] };
    const body = logs({ severityText: 'fine' }, twice);
    const place = {
      pointer: '/resourceLogs/0/scopeLogs/0/logRecords/1/attributes/1',
      reason: 'json_duplicate_key',
    };
    const binary = decodeBinary('logs', toProtobuf('logs', body));
    for (const decoded of [decodeJson('logs', body), binary]) {
      expect(decoded.items).toHaveLength(1);
      expect(decoded.problems).toMatchObject([place]);
    }
    const [unit] = [...binary.unitBytes().values()];
    expect(decodeBinary('logs', unit ?? new Uint8Array()).problems).toMatchObject([
      { reason: 'json_duplicate_key' },
    ]);
  });

  it('flags only the item that holds a place without canonical form', () => {
    const text =
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"a":1e999},{"severityText":"x","severityText":"y"},{}]}]}]}';
    const { items, problems, unitBytes } = decodeJson('logs', text);
    expect(items.map(({ index }) => index)).toEqual([2]);
    expect(problems.map(({ reason, index }) => [reason, index])).toEqual([
      ['json_inexact_number', 0],
      ['json_duplicate_key', 1],
    ]);
    expect([...unitBytes().values()].map(textOf)).toEqual([
      '{"a":1e999}',
      '{"severityText":"x","severityText":"y"}',
    ]);
  });

  it.each([
    [
      'a resource',
      '{"resourceLogs":[{"resource":{"x":1e999},"scopeLogs":[{"logRecords":[{}]}]},{}]}',
      '/resourceLogs/0',
    ],
    [
      'a repeated list',
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}],"logRecords":[]}]}]}',
      '/resourceLogs/0/scopeLogs/0',
    ],
    ['a group that is no object', '{"resourceLogs":[5]}', '/resourceLogs/0'],
    ['a list that is an object', '{"resourceLogs":[{"scopeLogs":{"0":{"a":1e999}}}]}', '/resourceLogs/0'],
    ['the root', '{"resourceLogs":[],"resourceLogs":[]}', ''],
  ])('flags the smallest unit around %s', (_, text, unit) => {
    const { items, problems } = decodeJson('logs', text);
    expect(items).toEqual([]);
    expect(problems.map(({ unit_pointer }) => unit_pointer)).toEqual([unit]);
  });

  it('flags one data point, or the metric where its shared part is wrong', () => {
    const request = (metric: string) => `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[${metric}]}]}]}`;
    const units = (metric: string) =>
      decodeJson('metrics', request(metric)).problems.map(({ unit_pointer }) => unit_pointer);
    const metric = '/resourceMetrics/0/scopeMetrics/0/metrics/0';
    expect(units('{"sum":{"dataPoints":[{},{"asDouble":1e999},{"asInt":"x"}]}}')).toEqual([
      `${metric}/sum/dataPoints/1`,
      `${metric}/sum/dataPoints/2`,
    ]);
    expect(units('{"sum":{"dataPoints":7}}')).toEqual([metric]);
    expect(units('{"sum":{},"gauge":{}}')).toEqual([metric]);
    expect(units('{"unit":1e999,"sum":{"dataPoints":[{}]}}')).toEqual([metric]);
    expect(units('{"other":{"dataPoints":[1e999]}}')).toEqual([metric]);
  });

  it('keeps a body whole that would expand beyond the limits', () => {
    const many = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${'{},'.repeat(MAX_ITEMS)}{}]}]}]}`;
    const shared = { attributes: [attribute('a', { stringValue: 'x'.repeat(MAX_SHARED_BYTES / 100) })] };
    const records = Array.from({ length: 101 }, () => ({}));
    const heavy = { resourceLogs: [{ resource: shared, scopeLogs: [{ logRecords: records }] }] };
    const bad = { resourceLogs: [{ resource: shared, scopeLogs: [{ logRecords: records.map(() => 5) }] }] };
    for (const body of [many, heavy, bad]) {
      const { items, problems, unitCount, unitBytes } = decodeJson('logs', body);
      expect({ items, unitCount }).toEqual({ items: [], unitCount: 1 });
      expect(problems).toMatchObject([{ unit_pointer: '', reason: 'body_expands_too_large' }]);
      // Comparing buffers element by element, as matchers do, takes half a minute.
      expect(Buffer.compare(unitBytes().get('')!, bytesOf(body))).toBe(0);
    }
    expect(decodeJson('logs', logs(...records)).unitCount).toBe(101);
  });

  it('holds the same limit of depth for both encodings', () => {
    const nest = (depth: number): JsonObject =>
      depth === 0 ? { intValue: 1 } : { kvlistValue: { values: [attribute('k', nest(depth - 1))] } };
    for (let depth = 10; depth < 18; depth += 1) {
      const body = logs({ attributes: [attribute('a', nest(depth))] });
      const json = decodeJson('logs', body);
      const binary = decodeBinary('logs', toProtobuf('logs', body));
      expect(binary.problems.map(({ reason }) => reason)).toEqual(json.problems.map(({ reason }) => reason));
      expect(binary.items).toEqual(json.items);
    }
  });
});

describe('bodies that are no export request', () => {
  it.each([
    ['an array', 'application/json', bytesOf('[]')],
    ['groups that are no array', 'application/json', bytesOf('{"resourceLogs":{}}')],
    ['broken JSON', 'application/json', bytesOf('{"resourceLogs":')],
    ['a truncated message', 'application/x-protobuf', Uint8Array.from([0x0a, 0x05, 0x01])],
    ['an endless varint', 'application/x-protobuf', new Uint8Array(20).fill(0xff)],
    ['text that is not UTF-8', 'application/x-protobuf', Uint8Array.from([0x0a, 0x03, 0x1a, 0x01, 0xff])],
    ['JSON sent as protobuf', 'application/x-protobuf', bytesOf('{"resourceLogs":[]}')],
  ] as const)('refuses %s with the place', (_, contentType, bytes) => {
    try {
      decodeOtlp('logs', contentType, bytes);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(PipelineError);
      expect(error).toMatchObject({ code: 'BODY_MALFORMED' });
      expect((error as PipelineError).place).toBeDefined();
    }
  });

  it('refuses hostile nesting in protobuf without exhausting the stack', () => {
    let value: Buffer = Buffer.from([0x08, 0x01]);
    const wrap = (tag: number, inner: Buffer) =>
      Buffer.concat([Buffer.from([tag]), varint(inner.length), inner]);
    for (let depth = 0; depth < 2_000; depth += 1) value = wrap(0x2a, wrap(0x0a, value));
    const record = wrap(0x2a, value);
    expect(() => decodeBinary('logs', wrap(0x0a, wrap(0x12, wrap(0x12, record))))).toThrow(PipelineError);
  });

  function varint(number: number): Buffer {
    const bytes: number[] = [];
    for (let rest = number; ; rest >>>= 7) {
      bytes.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
      if (rest <= 0x7f) return Buffer.from(bytes);
    }
  }

  it('decodes or refuses any bytes, and never fails otherwise', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.constantFrom<OtlpSignal>('logs', 'metrics', 'traces'),
        (bytes, signal) => {
          try {
            decodeBinary(signal, bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(PipelineError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
