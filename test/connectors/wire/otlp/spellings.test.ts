import { describe, expect, it } from 'vitest';
import { checkOtlp, decodeOtlp } from '../../../../connectors/wire/otlp/decode.ts';
import type { OtlpSignal } from '../../../../connectors/wire/otlp/descriptor.ts';
import { UnitSequence } from '../../../../connectors/wire/pieces.ts';
import { attributesNamed } from '../../../../connectors/wire/otlp/values.ts';
import type { JsonValue } from '../../../../schemas/json.ts';

const JSON_TYPE = 'application/json';
const bytesOf = (value: JsonValue) => Buffer.from(JSON.stringify(value));
const decode = (signal: OtlpSignal, value: JsonValue) => decodeOtlp(signal, JSON_TYPE, bytesOf(value));

/** The same value with each member's name as the protobuf definition spells it. */
function inSnakeCase(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(inSnakeCase);
  if (typeof value !== 'object' || value === null) return value;
  const toSnake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [toSnake(name), inSnakeCase(one)]));
}

const attributes = [
  { key: 'session.id', value: { stringValue: 's' } },
  { key: 'list', value: { arrayValue: { values: [{ intValue: '7' }, { boolValue: true }] } } },
  { key: 'pairs', value: { kvlistValue: { values: [{ key: 'a', value: { doubleValue: 0.5 } }] } } },
  { key: 'raw', value: { bytesValue: 'AQ==' } },
];
const resource = { attributes, droppedAttributesCount: 1, entityRefs: [{ schemaUrl: 'u', idKeys: ['a'] }] };
const scope = { name: 'n', droppedAttributesCount: 2 };
const point = { startTimeUnixNano: '1', timeUnixNano: '2', asInt: '3', attributes };
const bucketed = { timeUnixNano: '2', count: '1', bucketCounts: ['1'], explicitBounds: [0.5] };

const REQUESTS: readonly (readonly [OtlpSignal, JsonValue])[] = [
  [
    'logs',
    {
      resourceLogs: [
        {
          resource,
          schemaUrl: 'u',
          scopeLogs: [
            {
              scope,
              schemaUrl: 'v',
              logRecords: [
                {
                  timeUnixNano: '1',
                  observedTimeUnixNano: '2',
                  severityNumber: 9,
                  severityText: 'INFO',
                  eventName: 'e',
                  traceId: '0'.repeat(31) + '1',
                  spanId: '0'.repeat(15) + '1',
                  body: { stringValue: 'x' },
                  attributes,
                },
                { body: { kvlistValue: { values: attributes } } },
              ],
            },
          ],
        },
      ],
    },
  ],
  [
    'metrics',
    {
      resourceMetrics: [
        {
          resource,
          scopeMetrics: [
            {
              scope,
              metrics: [
                {
                  name: 'a',
                  sum: { dataPoints: [point, point], aggregationTemporality: 2, isMonotonic: true },
                },
                { name: 'b', histogram: { dataPoints: [bucketed], aggregationTemporality: 1 } },
                {
                  name: 'c',
                  exponentialHistogram: {
                    dataPoints: [{ zeroCount: '1', positive: { bucketCounts: ['2'] } }],
                  },
                },
                { name: 'd', summary: { dataPoints: [{ quantileValues: [{ quantile: 0.5, value: 1 }] }] } },
              ],
            },
          ],
        },
      ],
    },
  ],
  [
    'traces',
    {
      resourceSpans: [
        {
          resource,
          scopeSpans: [
            {
              scope,
              spans: [
                {
                  name: 'n',
                  traceId: '0'.repeat(31) + '1',
                  parentSpanId: '0'.repeat(15) + '2',
                  startTimeUnixNano: '1',
                  endTimeUnixNano: '2',
                  events: [{ timeUnixNano: '1', name: 'e', droppedAttributesCount: 1 }],
                  links: [{ traceState: 't' }],
                },
              ],
            },
          ],
        },
      ],
    },
  ],
];

describe('OTLP/JSON with the names of the protobuf definition', () => {
  it.each(REQUESTS)(
    'reads the same items of %s in either spelling, also when it only checks',
    (signal, request) => {
      const camel = decode(signal, request);
      const snake = decode(signal, inSnakeCase(request));
      expect(camel.items.length).toBeGreaterThan(0);
      expect([snake.items, snake.problems]).toEqual([camel.items, camel.problems]);
      const checked = checkOtlp(signal, JSON_TYPE, bytesOf(inSnakeCase(request)));
      expect(checked.items.map(({ index, resource }) => ({ index, resource }))).toEqual(
        camel.items.map(({ index, resource }) => ({ index, resource })),
      );
      expect(checked.items.map(({ raw }) => attributesNamed(raw, ['session.id']))).toEqual(
        camel.items.map(({ record }) => {
          const own = record['attributes'] as { 'session.id'?: string } | undefined;
          return own?.['session.id'] === undefined ? {} : { 'session.id': 's' };
        }),
      );
    },
  );

  it.each(REQUESTS)('divides a body of %s in either spelling', (signal, request) => {
    const snake = bytesOf(inSnakeCase(request));
    const decoded = decodeOtlp(signal, JSON_TYPE, snake);
    const keyed = decoded.items.map((_, index) => ({ recordCount: 1, key: `k${index}` }));
    const sequence = new UnitSequence(keyed, new Set());
    expect(decoded.cut(sequence)).toBeDefined();
    expect(sequence.isComplete).toBe(true);
  });

  it('names the place of an unsound item as the body spells it, and cuts its bytes', () => {
    const body = {
      resource_logs: [{ scope_logs: [{ log_records: [{ severity_number: 'x' }, { body: null }] }] }],
    };
    const { items, problems, unitBytes } = decode('logs', body);
    expect(items).toHaveLength(1);
    const unit = '/resource_logs/0/scope_logs/0/log_records/0';
    expect(problems).toMatchObject([{ unit_pointer: unit, pointer: `${unit}/severity_number` }]);
    expect(Buffer.from(unitBytes().get(unit) ?? []).toString()).toBe('{"severity_number":"x"}');
  });

  it('finds a repeated name in the item that holds it', () => {
    const text =
      '{"resource_logs":[{"scope_logs":[{"log_records":[{"event_name":"a","event_name":"b"},{"event_name":"c"}]}]}]}';
    const { items, problems } = decodeOtlp('logs', JSON_TYPE, Buffer.from(text));
    expect(items).toHaveLength(1);
    const unit = '/resource_logs/0/scope_logs/0/log_records/0';
    expect(problems).toMatchObject([{ unit_pointer: unit, reason: 'json_duplicate_key' }]);
  });

  it.each<[string, JsonValue, string]>([
    ['of the request', { resourceLogs: [], resource_logs: [] }, ''],
    ['of a resource group', { resourceLogs: [{ scopeLogs: [], scope_logs: [] }] }, '/resourceLogs/0'],
    [
      'of a scope group',
      { resourceLogs: [{ scopeLogs: [{ logRecords: [], log_records: [] }] }] },
      '/resourceLogs/0/scopeLogs/0',
    ],
    [
      'of an item',
      { resourceLogs: [{ scopeLogs: [{ logRecords: [{ eventName: 'a', event_name: 'a' }] }] }] },
      '/resourceLogs/0/scopeLogs/0/logRecords/0',
    ],
    [
      'of a value',
      {
        resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'a', string_value: 'a' } }] }] }],
      },
      '/resourceLogs/0/scopeLogs/0/logRecords/0',
    ],
  ])('takes a member %s in both spellings for a repeated name', (_, body, unit_pointer) => {
    expect(decode('logs', body).problems).toMatchObject([{ unit_pointer, reason: 'json_duplicate_key' }]);
    expect(checkOtlp('logs', JSON_TYPE, bytesOf(body)).problems).toEqual(decode('logs', body).problems);
  });

  it('takes a kind of metric in both spellings for a repeated name', () => {
    const metrics = [{ name: 'm', exponentialHistogram: {}, exponential_histogram: { data_points: [{}] } }];
    const { problems } = decode('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
    expect(problems).toMatchObject([{ reason: 'json_duplicate_key' }]);
  });
});
