/**
 * The messages of OTLP 1.x as data: member names as OTLP/JSON spells them, with their protobuf types and numbers.
 * The protobuf reader and the normaliser are both driven by this one table, so that the encodings cannot differ in
 * what they know.
 */

/** Protobuf scalars that OTLP uses; enums travel as `int32`, trace and span ids as `hex`. */
export type ScalarType =
  | 'string'
  | 'bool'
  | 'double'
  | 'int32'
  | 'sint32'
  | 'uint32'
  | 'fixed32'
  | 'int64'
  | 'uint64'
  | 'fixed64'
  | 'sfixed64'
  | 'bytes'
  | 'hex';

export interface FieldSpec {
  readonly id: number;
  readonly type: ScalarType | MessageName;
  readonly repeated: boolean;
  /** Whether zero or empty differs from absent; where it does not, normalising leaves the default out. */
  readonly presence: boolean;
}

export type MessageSpec = Readonly<Record<string, FieldSpec>>;

export type MessageName =
  | 'LogsRequest'
  | 'ResourceLogs'
  | 'ScopeLogs'
  | 'LogRecord'
  | 'MetricsRequest'
  | 'ResourceMetrics'
  | 'ScopeMetrics'
  | 'Metric'
  | 'Gauge'
  | 'Sum'
  | 'Histogram'
  | 'ExponentialHistogram'
  | 'Summary'
  | 'NumberDataPoint'
  | 'HistogramDataPoint'
  | 'ExponentialHistogramDataPoint'
  | 'Buckets'
  | 'SummaryDataPoint'
  | 'ValueAtQuantile'
  | 'Exemplar'
  | 'TraceRequest'
  | 'ResourceSpans'
  | 'ScopeSpans'
  | 'Span'
  | 'SpanEvent'
  | 'SpanLink'
  | 'SpanStatus'
  | 'Resource'
  | 'EntityRef'
  | 'InstrumentationScope'
  | 'KeyValue'
  | 'AnyValue'
  | 'ArrayValue'
  | 'KeyValueList';

type FieldType = FieldSpec['type'];

function one(type: FieldType, id: number): FieldSpec {
  return { id, type, repeated: false, presence: false };
}

function optional(type: FieldType, id: number): FieldSpec {
  return { id, type, repeated: false, presence: true };
}

function many(type: FieldType, id: number): FieldSpec {
  return { id, type, repeated: true, presence: false };
}

const ATTRIBUTES = 'KeyValue';

export const OTLP_MESSAGES: Readonly<Record<MessageName, MessageSpec>> = {
  LogsRequest: { resourceLogs: many('ResourceLogs', 1) },
  ResourceLogs: {
    resource: one('Resource', 1),
    scopeLogs: many('ScopeLogs', 2),
    schemaUrl: one('string', 3),
  },
  ScopeLogs: {
    scope: one('InstrumentationScope', 1),
    logRecords: many('LogRecord', 2),
    schemaUrl: one('string', 3),
  },
  LogRecord: {
    timeUnixNano: one('fixed64', 1),
    severityNumber: one('int32', 2),
    severityText: one('string', 3),
    body: optional('AnyValue', 5),
    attributes: many(ATTRIBUTES, 6),
    droppedAttributesCount: one('uint32', 7),
    flags: one('fixed32', 8),
    traceId: one('hex', 9),
    spanId: one('hex', 10),
    observedTimeUnixNano: one('fixed64', 11),
    eventName: one('string', 12),
  },

  MetricsRequest: { resourceMetrics: many('ResourceMetrics', 1) },
  ResourceMetrics: {
    resource: one('Resource', 1),
    scopeMetrics: many('ScopeMetrics', 2),
    schemaUrl: one('string', 3),
  },
  ScopeMetrics: {
    scope: one('InstrumentationScope', 1),
    metrics: many('Metric', 2),
    schemaUrl: one('string', 3),
  },
  Metric: {
    name: one('string', 1),
    description: one('string', 2),
    unit: one('string', 3),
    gauge: optional('Gauge', 5),
    sum: optional('Sum', 7),
    histogram: optional('Histogram', 9),
    exponentialHistogram: optional('ExponentialHistogram', 10),
    summary: optional('Summary', 11),
    metadata: many(ATTRIBUTES, 12),
  },
  Gauge: { dataPoints: many('NumberDataPoint', 1) },
  Sum: {
    dataPoints: many('NumberDataPoint', 1),
    aggregationTemporality: one('int32', 2),
    isMonotonic: one('bool', 3),
  },
  Histogram: { dataPoints: many('HistogramDataPoint', 1), aggregationTemporality: one('int32', 2) },
  ExponentialHistogram: {
    dataPoints: many('ExponentialHistogramDataPoint', 1),
    aggregationTemporality: one('int32', 2),
  },
  Summary: { dataPoints: many('SummaryDataPoint', 1) },
  NumberDataPoint: {
    startTimeUnixNano: one('fixed64', 2),
    timeUnixNano: one('fixed64', 3),
    asDouble: optional('double', 4),
    exemplars: many('Exemplar', 5),
    asInt: optional('sfixed64', 6),
    attributes: many(ATTRIBUTES, 7),
    flags: one('uint32', 8),
  },
  HistogramDataPoint: {
    startTimeUnixNano: one('fixed64', 2),
    timeUnixNano: one('fixed64', 3),
    count: one('fixed64', 4),
    sum: optional('double', 5),
    bucketCounts: many('fixed64', 6),
    explicitBounds: many('double', 7),
    exemplars: many('Exemplar', 8),
    attributes: many(ATTRIBUTES, 9),
    flags: one('uint32', 10),
    min: optional('double', 11),
    max: optional('double', 12),
  },
  ExponentialHistogramDataPoint: {
    attributes: many(ATTRIBUTES, 1),
    startTimeUnixNano: one('fixed64', 2),
    timeUnixNano: one('fixed64', 3),
    count: one('fixed64', 4),
    sum: optional('double', 5),
    scale: one('sint32', 6),
    zeroCount: one('fixed64', 7),
    positive: optional('Buckets', 8),
    negative: optional('Buckets', 9),
    flags: one('uint32', 10),
    exemplars: many('Exemplar', 11),
    min: optional('double', 12),
    max: optional('double', 13),
    zeroThreshold: one('double', 14),
  },
  Buckets: { offset: one('sint32', 1), bucketCounts: many('uint64', 2) },
  SummaryDataPoint: {
    startTimeUnixNano: one('fixed64', 2),
    timeUnixNano: one('fixed64', 3),
    count: one('fixed64', 4),
    sum: one('double', 5),
    quantileValues: many('ValueAtQuantile', 6),
    attributes: many(ATTRIBUTES, 7),
    flags: one('uint32', 8),
  },
  ValueAtQuantile: { quantile: one('double', 1), value: one('double', 2) },
  Exemplar: {
    timeUnixNano: one('fixed64', 2),
    asDouble: optional('double', 3),
    spanId: one('hex', 4),
    traceId: one('hex', 5),
    asInt: optional('sfixed64', 6),
    filteredAttributes: many(ATTRIBUTES, 7),
  },

  TraceRequest: { resourceSpans: many('ResourceSpans', 1) },
  ResourceSpans: {
    resource: one('Resource', 1),
    scopeSpans: many('ScopeSpans', 2),
    schemaUrl: one('string', 3),
  },
  ScopeSpans: {
    scope: one('InstrumentationScope', 1),
    spans: many('Span', 2),
    schemaUrl: one('string', 3),
  },
  Span: {
    traceId: one('hex', 1),
    spanId: one('hex', 2),
    traceState: one('string', 3),
    parentSpanId: one('hex', 4),
    name: one('string', 5),
    kind: one('int32', 6),
    startTimeUnixNano: one('fixed64', 7),
    endTimeUnixNano: one('fixed64', 8),
    attributes: many(ATTRIBUTES, 9),
    droppedAttributesCount: one('uint32', 10),
    events: many('SpanEvent', 11),
    droppedEventsCount: one('uint32', 12),
    links: many('SpanLink', 13),
    droppedLinksCount: one('uint32', 14),
    status: one('SpanStatus', 15),
    flags: one('fixed32', 16),
  },
  SpanEvent: {
    timeUnixNano: one('fixed64', 1),
    name: one('string', 2),
    attributes: many(ATTRIBUTES, 3),
    droppedAttributesCount: one('uint32', 4),
  },
  SpanLink: {
    traceId: one('hex', 1),
    spanId: one('hex', 2),
    traceState: one('string', 3),
    attributes: many(ATTRIBUTES, 4),
    droppedAttributesCount: one('uint32', 5),
    flags: one('fixed32', 6),
  },
  SpanStatus: { message: one('string', 2), code: one('int32', 3) },

  Resource: {
    attributes: many(ATTRIBUTES, 1),
    droppedAttributesCount: one('uint32', 2),
    entityRefs: many('EntityRef', 3),
  },
  EntityRef: {
    schemaUrl: one('string', 1),
    type: one('string', 2),
    idKeys: many('string', 3),
    descriptionKeys: many('string', 4),
  },
  InstrumentationScope: {
    name: one('string', 1),
    version: one('string', 2),
    attributes: many(ATTRIBUTES, 3),
    droppedAttributesCount: one('uint32', 4),
  },
  KeyValue: { key: one('string', 1), value: optional('AnyValue', 2) },
  AnyValue: {
    stringValue: optional('string', 1),
    boolValue: optional('bool', 2),
    intValue: optional('int64', 3),
    doubleValue: optional('double', 4),
    arrayValue: optional('ArrayValue', 5),
    kvlistValue: optional('KeyValueList', 6),
    bytesValue: optional('bytes', 7),
  },
  ArrayValue: { values: many('AnyValue', 1) },
  KeyValueList: { values: many(ATTRIBUTES, 1) },
};

/** The three OTLP signals, and the members that lead to their items. */
export type OtlpSignal = 'logs' | 'metrics' | 'traces';

export interface SignalSpec {
  readonly request: MessageName;
  readonly resourceGroups: string;
  readonly scopeGroups: string;
  readonly items: string;
}

export const OTLP_SIGNALS: Readonly<Record<OtlpSignal, SignalSpec>> = {
  logs: {
    request: 'LogsRequest',
    resourceGroups: 'resourceLogs',
    scopeGroups: 'scopeLogs',
    items: 'logRecords',
  },
  metrics: {
    request: 'MetricsRequest',
    resourceGroups: 'resourceMetrics',
    scopeGroups: 'scopeMetrics',
    items: 'metrics',
  },
  traces: {
    request: 'TraceRequest',
    resourceGroups: 'resourceSpans',
    scopeGroups: 'scopeSpans',
    items: 'spans',
  },
};

/** Members of a Metric that hold its data points; a metric has exactly one. */
export const METRIC_KINDS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const;
