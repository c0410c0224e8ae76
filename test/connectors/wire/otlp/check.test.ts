import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeOtlp, checkOtlp } from '../../../../connectors/wire/otlp/decode.ts';
import type { OtlpSignal } from '../../../../connectors/wire/otlp/descriptor.ts';
import type { EnvelopeHeader } from '../../../../schemas/envelope.ts';
import type { JsonObject, JsonValue } from '../../../../schemas/json.ts';
import { recordedRequests } from '../../sources/recorded.ts';

type ContentType = EnvelopeHeader['content_type'];

function outcomeOf(
  read: typeof checkOtlp | typeof decodeOtlp,
  signal: OtlpSignal,
  contentType: ContentType,
  body: Uint8Array,
) {
  try {
    const { unitCount, problems } = read(signal, contentType, body);
    return { unitCount, problems };
  } catch (error) {
    return { refused: error };
  }
}

/** Both readings of one body, which have to be the same. */
function expectSame(signal: OtlpSignal, contentType: ContentType, body: Uint8Array): void {
  const decoded = outcomeOf(decodeOtlp, signal, contentType, body);
  expect(outcomeOf(checkOtlp, signal, contentType, body)).toEqual(decoded);
}

const OTLP_REQUESTS = recordedRequests().flatMap(({ name, envelope }) =>
  envelope.source.startsWith('otlp-')
    ? [{ name, envelope, signal: envelope.source.slice('otlp-'.length) as OtlpSignal }]
    : [],
);

const scalar = fc.oneof(
  fc.constantFrom<JsonValue>(
    null,
    true,
    -1,
    0.5,
    '',
    '7',
    '-1',
    'NaN',
    'a b',
    'abcd',
    '18446744073709551616',
  ),
  fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<JsonValue>,
);

const anyValue: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalar.map((stringValue) => ({ stringValue })),
    scalar.map((intValue) => ({ intValue })),
    scalar.map((doubleValue) => ({ doubleValue })),
    scalar.map((bytesValue) => ({ bytesValue })),
    scalar,
    fc.array(tie('value'), { maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
    fc.array(pairOf(tie('value')), { maxLength: 3 }).map((values) => ({ kvlistValue: { values } })),
    fc.tuple(scalar, scalar).map(([stringValue, extra]) => ({ stringValue, extra })),
  ),
})).value;

function pairOf(value: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonValue> {
  const key = fc.constantFrom<JsonValue>('a', 'b', 'c', '__proto__', '', 1);
  return fc.oneof({ weight: 9, arbitrary: fc.record({ key, value }, { requiredKeys: [] }) }, scalar);
}

const attributes = fc.oneof({ weight: 9, arbitrary: fc.array(pairOf(anyValue), { maxLength: 4 }) }, scalar);

/** A message with some of its members, each sound more often than not. */
function message(members: Record<string, fc.Arbitrary<JsonValue>>): fc.Arbitrary<JsonValue> {
  const sound = fc.record({ ...members, later: scalar }, { requiredKeys: [] }) as fc.Arbitrary<JsonValue>;
  return fc.oneof({ weight: 12, arbitrary: sound }, scalar);
}

function listOf(element: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonValue> {
  return fc.oneof({ weight: 12, arbitrary: fc.array(element, { maxLength: 3 }) }, scalar);
}

const time = fc.oneof(fc.constantFrom<JsonValue>('1795248807387000000', 5), scalar);
const point = message({ timeUnixNano: time, asInt: scalar, asDouble: scalar, attributes });
const buckets = message({ offset: scalar, bucketCounts: listOf(scalar) });
const ITEMS: Readonly<Record<OtlpSignal, fc.Arbitrary<JsonValue>>> = {
  logs: message({ timeUnixNano: time, body: anyValue, attributes, traceId: scalar, flags: scalar }),
  traces: message({
    ...{ startTimeUnixNano: time, attributes, spanId: scalar, kind: scalar },
    events: listOf(message({ name: scalar, attributes })),
    status: message({ code: scalar }),
  }),
  metrics: message({
    ...{ name: scalar, metadata: attributes },
    sum: message({ dataPoints: listOf(point), isMonotonic: scalar }),
    exponentialHistogram: message({ dataPoints: listOf(message({ scale: scalar, positive: buckets })) }),
  }),
};

const LISTS = {
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
} as const;

function requestOf(signal: OtlpSignal): fc.Arbitrary<JsonValue> {
  const [groups, scopes, items] = LISTS[signal];
  const scope = message({ scope: message({ name: scalar, attributes }), [items]: listOf(ITEMS[signal]) });
  const group = message({ resource: message({ attributes }), [scopes]: listOf(scope) });
  return message({ [groups]: listOf(group) });
}

describe('checkOtlp', () => {
  it.each(OTLP_REQUESTS.map(({ name, ...request }) => [name, request] as const))(
    'counts %s as decoding does, whole and with single bytes changed',
    (_, { envelope, signal }) => {
      expectSame(signal, envelope.content_type, envelope.body);
      const place = fc.nat(envelope.body.length - 1);
      fc.assert(
        fc.property(place, fc.integer({ min: 0x20, max: 0xff }), (at, byte) => {
          const body = Uint8Array.from(envelope.body);
          body[at] = byte;
          expectSame(signal, envelope.content_type, body);
        }),
        { numRuns: 30 },
      );
    },
  );

  it.each(Object.keys(LISTS) as OtlpSignal[])('counts any %s request as decoding does', (signal) => {
    fc.assert(
      fc.property(requestOf(signal), (request) => {
        expectSame(signal, 'application/json', new TextEncoder().encode(JSON.stringify(request)));
      }),
      { numRuns: 400 },
    );
  });

  it('judges the place of a text problem, and what is too large, as decoding does', () => {
    const wrap = (records: string) => `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${records}]}]}]}`;
    const texts = [
      wrap('{},{"a":1,"a":2},{"body":{"doubleValue":1e999}},{}'),
      wrap(`${'{},'.repeat(50_000)}{}`),
      '{"resourceLogs":[{"resource":{"x":1e999}},{}]}',
    ];
    for (const text of texts) expectSame('logs', 'application/json', new TextEncoder().encode(text));
  });

  it('finds items as they came, without their normal form', () => {
    const request: JsonObject = { resourceLogs: [{ scopeLogs: [{ logRecords: [{}, 5, {}] }] }] };
    const bytes = new TextEncoder().encode(JSON.stringify(request));
    const surveyed = checkOtlp('logs', 'application/json', bytes);
    expect(surveyed).toMatchObject({
      unitCount: 3,
      problems: [{ index: 1 }],
      items: [
        { index: 0, raw: {} },
        { index: 2, raw: {} },
      ],
    });
  });
});
