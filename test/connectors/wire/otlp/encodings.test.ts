import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeOtlp } from '../../../../connectors/wire/otlp/decode.ts';
import type { OtlpSignal } from '../../../../connectors/wire/otlp/descriptor.ts';
import { canonicalJson } from '../../../../schemas/canonical.ts';
import type { JsonObject, JsonValue } from '../../../../schemas/json.ts';
import { toProtobuf } from './to-protobuf.ts';

const decodeJson = (signal: OtlpSignal, value: unknown) =>
  decodeOtlp(signal, 'application/json', new TextEncoder().encode(JSON.stringify(value)));
const decodeBinary = (signal: OtlpSignal, bytes: Uint8Array) =>
  decodeOtlp(signal, 'application/x-protobuf', bytes);
const attribute = (key: string, value: JsonValue) => ({ key, value });

const anyValue: fc.Arbitrary<JsonObject> = fc.letrec<{ value: JsonObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.string({ unit: 'grapheme' }).map((stringValue) => ({ stringValue })),
    fc.boolean().map((boolValue) => ({ boolValue })),
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((integer) => ({ intValue: integer.toString() })),
    fc.integer().map((intValue) => ({ intValue })),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((doubleValue) => ({ doubleValue })),
    fc.uint8Array().map((bytes) => ({ bytesValue: Buffer.from(bytes).toString('base64') })),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
    fc
      .uniqueArray(fc.tuple(fc.string(), tie('value')), { maxLength: 3, selector: ([key]) => key })
      .map((pairs) => ({ kvlistValue: { values: pairs.map(([key, value]) => attribute(key, value)) } })),
    fc.constant({}),
  ),
})).value;

const attributes = fc
  .uniqueArray(fc.tuple(fc.string(), anyValue), { maxLength: 5, selector: ([key]) => key })
  .map((pairs) => pairs.map(([key, value]) => attribute(key, value)));
const nanos = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length * 2}}$`));

const logRecord = fc.record(
  {
    timeUnixNano: nanos,
    observedTimeUnixNano: nanos,
    severityNumber: fc.nat(24),
    severityText: fc.string(),
    body: anyValue,
    attributes,
    droppedAttributesCount: fc.nat(),
    flags: fc.nat(255),
    traceId: hex(16),
    spanId: hex(8),
    eventName: fc.string(),
  },
  { requiredKeys: [] },
);

describe('decodeOtlp in both encodings', () => {
  it('yields identical items for any log request in JSON and protobuf', () => {
    const scope = fc.record({ name: fc.string(), version: fc.string(), attributes }, { requiredKeys: [] });
    const scopeLogs = fc.array(
      fc.record(
        { scope, logRecords: fc.array(logRecord, { maxLength: 3 }), schemaUrl: fc.string() },
        { requiredKeys: [] },
      ),
      { maxLength: 2 },
    );
    const resource = fc.record({ attributes }, { requiredKeys: [] });
    const request = fc.record({
      resourceLogs: fc.array(fc.record({ resource, scopeLogs }, { requiredKeys: [] }), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(request, (body) => {
        const json = decodeJson('logs', body);
        const binary = decodeBinary('logs', toProtobuf('logs', body));
        expect(json.problems).toEqual([]);
        expect(binary.items).toEqual(json.items);
        for (const item of json.items) expect(() => canonicalJson({ ...item })).not.toThrow();
      }),
    );
  });

  const point = {
    startTimeUnixNano: '1',
    timeUnixNano: '1795248800000000001',
    attributes: [attribute('a', { intValue: 1 })],
  };
  const exemplars = [{ timeUnixNano: '5', asInt: '-7', traceId: 'AB'.repeat(16), spanId: 'cd'.repeat(8) }];
  it.each<[string, JsonObject]>([
    [
      'gauge',
      {
        gauge: {
          dataPoints: [
            { ...point, asDouble: 0 },
            { ...point, asInt: '-9223372036854775808' },
          ],
        },
      },
    ],
    [
      'sum',
      {
        sum: {
          aggregationTemporality: 2,
          isMonotonic: true,
          dataPoints: [{ ...point, asDouble: 0.1, exemplars }],
        },
      },
    ],
    [
      'histogram',
      {
        histogram: {
          aggregationTemporality: 1,
          dataPoints: [
            {
              ...point,
              count: '18446744073709551615',
              sum: 0,
              min: -1.5,
              max: 2,
              bucketCounts: ['1', 2],
              explicitBounds: [0.5],
            },
          ],
        },
      },
    ],
    [
      'exponentialHistogram',
      {
        exponentialHistogram: {
          aggregationTemporality: 1,
          dataPoints: [
            {
              ...point,
              count: 3,
              scale: -2,
              zeroCount: '1',
              zeroThreshold: 0.25,
              positive: { offset: -3, bucketCounts: [1, '2'] },
              negative: {},
            },
          ],
        },
      },
    ],
    [
      'summary',
      {
        summary: {
          dataPoints: [{ ...point, count: 3, sum: 1.5, quantileValues: [{ quantile: 0.99, value: 7 }] }],
        },
      },
    ],
  ])('yields identical points of a %s', (kind, data) => {
    const metric = {
      name: 'm',
      unit: 's',
      description: 'd',
      metadata: [attribute('x', { boolValue: false })],
      ...data,
    };
    const body = { resourceMetrics: [{ scopeMetrics: [{ scope: { name: 's' }, metrics: [metric] }] }] };
    const json = decodeJson('metrics', body);
    expect(json.problems).toEqual([]);
    expect(json.items.length).toBeGreaterThan(0);
    expect(json.items[0]?.metric).toMatchObject({ name: 'm', unit: 's', kind });
    expect(decodeBinary('metrics', toProtobuf('metrics', body)).items).toEqual(json.items);
  });

  it('yields identical spans with events, links and status', () => {
    const span = {
      traceId: '0AF7651916CD43DD8448EB211C80319C',
      spanId: 'b7ad6b7169203331',
      parentSpanId: '',
      traceState: 'k=v',
      name: 'claude_code.tool',
      kind: 1,
      startTimeUnixNano: '1795248800000000000',
      endTimeUnixNano: '1795248800500000001',
      attributes: [attribute('tool_name', { stringValue: 'Bash' })],
      events: [
        { timeUnixNano: '1', name: 'tool.output', attributes: [attribute('o', { stringValue: 'x' })] },
      ],
      links: [{ traceId: '00'.repeat(16), spanId: '11'.repeat(8), flags: 256 }],
      status: { code: 2, message: 'no' },
      flags: 257,
      droppedEventsCount: 4,
    };
    const body = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] };
    const json = decodeJson('traces', body);
    expect(json.items[0]?.record['traceId']).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(json.items[0]?.record).not.toHaveProperty('parentSpanId');
    expect(decodeBinary('traces', toProtobuf('traces', body)).items).toEqual(json.items);
  });
});
