import type { OtlpSignal } from '../../../../connectors/wire/otlp/descriptor.ts';
import type { Envelope } from '../../../../schemas/envelope.ts';
import type { JsonObject, JsonValue } from '../../../../schemas/json.ts';
import { envelope, recordedRequests } from '../../../connectors/sources/recorded.ts';
import { toProtobuf } from '../../../connectors/wire/otlp/to-protobuf.ts';

/** A body that holds items of several sessions. */
export interface MergedBody {
  readonly name: string;
  readonly envelope: Envelope;
}

const SOURCES = { logs: 'otlp-logs', metrics: 'otlp-metrics', traces: 'otlp-traces' } as const;
const LISTS = {
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
} as const;

/** The attribute as OTLP/JSON has it. */
export const said = (key: string, stringValue: string) => ({ key, value: { stringValue } });

const bodyText = ({ body }: Envelope) => Buffer.from(body).toString();

function recorded(signal: OtlpSignal): JsonObject[] {
  return recordedRequests()
    .filter(({ envelope: one }) => one.source === SOURCES[signal] && one.content_type === 'application/json')
    .map(({ envelope: one }) => JSON.parse(bodyText(one)) as JsonObject);
}

const listOf = (value: JsonValue | undefined, name: string) =>
  ((value as JsonObject)[name] ?? []) as readonly JsonObject[];

/** All groups of several requests in one. */
function concatenated(signal: OtlpSignal, requests: readonly JsonObject[]): JsonObject {
  const [groups] = LISTS[signal];
  return { [groups]: requests.flatMap((request) => listOf(request, groups)) };
}

/** The first items of several requests by turns, in one scope of one resource. */
function interleaved(signal: OtlpSignal, requests: readonly JsonObject[]): JsonObject {
  const [groups, scopes, items] = LISTS[signal];
  const lists = requests.map((request) =>
    listOf(request, groups).flatMap((group) =>
      listOf(group, scopes).flatMap((scope) => listOf(scope, items)),
    ),
  );
  const longest = Math.min(8, ...lists.map(({ length }) => length));
  const all = Array.from({ length: longest }, (_, turn) =>
    lists.flatMap((list) => list.slice(turn, turn + 1)),
  );
  const scope = { name: 'com.anthropic.claude_code.events', version: '2.1.329' };
  return {
    [groups]: [
      {
        resource: { attributes: [said('service.name', 'claude-code')] },
        [scopes]: [{ scope, [items]: all.flat() }],
      },
    ],
  };
}

/** One metric whose points are of several sessions. */
function sharedMetric(): JsonObject {
  const dataPoints = ['a', 'b', '', 'a', 'c'].map((session, index) => ({
    timeUnixNano: `17952488073870000${index}0`,
    asDouble: index + 0.5,
    attributes: session === '' ? [] : [said('session.id', session)],
  }));
  const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints };
  const metrics = [
    { name: 'claude_code.token.usage', unit: 'tokens', sum },
    { name: 'claude_code.active', gauge: { dataPoints: dataPoints.slice(1) } },
  ];
  return { resourceMetrics: [{ scopeMetrics: [{ scope: { name: 's' }, metrics }] }] };
}

function spans(): JsonObject {
  const span = (session: string, index: number) => ({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: `b7ad6b716920333${index}`,
    name: 'claude_code.tool',
    startTimeUnixNano: `179524880000000000${index}`,
    endTimeUnixNano: '1795248800500000001',
    attributes:
      session === '' ? [] : [said(index % 2 === 0 ? 'session.id' : 'gen_ai.conversation.id', session)],
    events: [{ timeUnixNano: '1', name: 'tool.output', attributes: [said('session.id', 'of an event')] }],
  });
  const scope = { name: 'com.anthropic.claude_code.tracing' };
  const group = (attributes: readonly JsonValue[], sessions: readonly string[]) => ({
    resource: { attributes },
    scopeSpans: [{ scope, spans: sessions.map(span), schemaUrl: 'https://example.test/1' }],
    schemaUrl: 'https://example.test/2',
  });
  return {
    resourceSpans: [
      group([said('service.name', 'x')], ['a', 'b', '', 'a']),
      group([said('session.id', 'c')], ['', 'a', 'b']),
    ],
  };
}

const EVENT = {
  type: 'tool.completed',
  facts: { tool_name: 'Bash' },
  content: { text: 'héllo "x" \\ \u2028' },
};
const NATIVE = ['a', 'b', undefined, 'a', 'ü', ''].map((session_id, index) =>
  JSON.stringify({ event_id: `e-${index}`, ...EVENT, ...(session_id === undefined ? {} : { session_id }) }),
);

/** Groups without items, items that will be quarantined, and members unknown here, among sound ones. */
function oddLogs(): JsonObject {
  const record = (session: string) => ({
    body: { stringValue: session },
    attributes: [said('session.id', session)],
  });
  const twice = { attributes: [said('session.id', 'a'), said('session.id', 'a')] };
  return {
    resourceLogs: [
      { resource: null, scopeLogs: [{}, { logRecords: null }] },
      {
        scopeLogs: [{ logRecords: [record('a'), 5, twice, record('b')], later: [1] }],
        resource: {},
        later: {},
      },
      { resource: 7, scopeLogs: [{ logRecords: [record('a')] }] },
      {
        resource: { attributes: [said('session.id', 'c')] },
        scopeLogs: [{ logRecords: [{}] }, { scope: 1 }],
      },
    ],
    later: true,
  };
}

/** Metrics of several kinds, of kinds that came later, and of none. */
function oddMetrics(): JsonObject {
  const point = (session: string) => ({ asInt: '1', attributes: [said('session.id', session)] });
  const metrics = [
    { name: 'no kind' },
    { name: 'null', gauge: null, sum: { isMonotonic: true, dataPoints: [point('a'), 4, point('b')] } },
    { name: 'later', marvel: { dataPoints: [point('a')] } },
    { name: 'two', gauge: { dataPoints: [point('a')] }, sum: {} },
    { name: 'none', histogram: { dataPoints: [] } },
    { histogram: { dataPoints: [point('c'), point('b')], aggregationTemporality: 1 } },
    { summary: { dataPoints: [point('a')] }, metadata: [said('session.id', 'd')] },
  ];
  return { resourceMetrics: [{}, { scopeMetrics: [{ metrics }] }] };
}

const inBoth = (signal: OtlpSignal, name: string, request: JsonObject): MergedBody[] => [
  { name: `${signal} ${name}, JSON`, envelope: envelope(SOURCES[signal], request) },
  {
    name: `${signal} ${name}, JSON with white space`,
    envelope: envelope(SOURCES[signal], JSON.stringify(request, null, 2)),
  },
  {
    name: `${signal} ${name}, protobuf`,
    envelope: envelope(SOURCES[signal], toProtobuf(signal, request), {
      content_type: 'application/x-protobuf',
    }),
  },
];

/** Bodies of several sessions in each format. */
export const MERGED: readonly MergedBody[] = [
  ...inBoth('logs', 'of all recordings', concatenated('logs', recorded('logs'))),
  ...inBoth('logs', 'by turns', interleaved('logs', recorded('logs'))),
  ...inBoth('metrics', 'of all recordings', concatenated('metrics', recorded('metrics'))),
  ...inBoth('metrics', 'by turns', interleaved('metrics', recorded('metrics'))),
  ...inBoth('metrics', 'with points of several sessions', sharedMetric()),
  ...inBoth('traces', 'of two resources', spans()),
  { name: 'odd logs', envelope: envelope('otlp-logs', oddLogs()) },
  { name: 'odd metrics', envelope: envelope('otlp-metrics', oddMetrics()) },
  { name: 'native array', envelope: envelope('native', `[${NATIVE.join(' ,\n')}]`) },
  {
    name: 'native lines',
    envelope: envelope('native', `\n${NATIVE.join('\r\n \n')}\n`, { content_type: 'application/x-ndjson' }),
  },
];
