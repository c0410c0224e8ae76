import {
  METRIC_KINDS,
  OTLP_MESSAGES,
  OTLP_SIGNALS,
  type MessageName,
  type OtlpSignal,
} from '../wire/otlp/descriptor.ts';
import { decodeProtobuf } from '../wire/otlp/protobuf.ts';
import { createFieldWalk, fieldHeader, type WalkFields, type WireField } from '../wire/otlp/wire-fields.ts';
import { SESSION_ATTRIBUTES } from '../sources/otlp/otel-facts.ts';
import type { OtlpUnits } from './otlp-units.ts';
import type { Chunks, Holder, Piece } from './pieces.ts';
import type { RawPairs } from './session-attributes.ts';

interface Reading {
  readonly signal: OtlpSignal;
  readonly units: OtlpUnits;
  readonly bytes: Buffer;
  readonly walk: WalkFields;
}

/** A field that holds a message. */
interface MessageField extends WireField {
  readonly payloadAt: number;
}

/** A message taken apart: the elements of one of its members, and the fields beside them. */
interface Opened {
  readonly own: readonly Uint8Array[];
  readonly parts: readonly Piece[];
}

type TakePart = (reading: Reading, into: Piece[], field: MessageField, pointer: string) => void;

const MESSAGES = {
  logs: { request: 'LogsRequest', group: 'ResourceLogs', scope: 'ScopeLogs', item: 'LogRecord' },
  metrics: { request: 'MetricsRequest', group: 'ResourceMetrics', scope: 'ScopeMetrics', item: 'Metric' },
  traces: { request: 'TraceRequest', group: 'ResourceSpans', scope: 'ScopeSpans', item: 'Span' },
} as const satisfies Readonly<Record<OtlpSignal, Readonly<Record<string, MessageName>>>>;

/** An OTLP request in protobuf, which a survey has accepted, as pieces; undefined for one without any. */
export function openOtlpProtobuf(signal: OtlpSignal, bytes: Buffer, units: OtlpUnits): Holder | undefined {
  const reading = { signal, units, bytes, walk: createFieldWalk(bytes) };
  const member = OTLP_SIGNALS[signal].resourceGroups;
  const { own, parts } = openMessage(reading, [{ payloadAt: 0, to: bytes.length }], '', {
    ...{ message: MESSAGES[signal].request, member, take: takeResourceGroup },
  });
  if (parts.length === 0) return undefined;
  return { within: parts, wrap: (pieces) => [...own, ...pieces.flat()] };
}

/** Fields that hold one such pair each, cut out of the body, as key-value messages. */
export function readProtobufPairs(pairs: RawPairs): unknown {
  const resource = Buffer.from(pairs, 'latin1');
  const group = inField(idOf('ResourceLogs', 'resource'), [resource]);
  const request = inField(idOf('LogsRequest', 'resourceLogs'), group);
  const decoded = decodeProtobuf('logs', Buffer.concat(request)) as {
    readonly resourceLogs?: readonly { readonly resource?: { readonly attributes?: unknown } }[];
  };
  return decoded.resourceLogs?.[0]?.resource?.attributes;
}

function idOf(message: MessageName, member: string): number {
  return OTLP_MESSAGES[message][member]?.id ?? 0;
}

/** A field of another wire type than a message's is one that the reader does not know. */
function isMessageField(field: WireField, id: number): field is MessageField {
  return field.id === id && field.payloadAt !== undefined;
}

interface Around {
  readonly message: MessageName;
  readonly member: string;
  readonly take: TakePart;
  readonly onOther?: (field: WireField) => void;
}

/** Opens a message that stands in one place or, being one that comes more than once and is merged, in several. */
function openMessage(
  reading: Reading,
  places: readonly Pick<MessageField, 'payloadAt' | 'to'>[],
  pointer: string,
  { message, member, take, onOther }: Around,
): Opened {
  const { units, bytes, walk } = reading;
  const id = idOf(message, member);
  const own: Uint8Array[] = [];
  const parts: Piece[] = [];
  const takeField = (field: WireField): undefined => {
    if (!isMessageField(field, id)) {
      own.push(bytes.subarray(field.from, field.to));
      onOther?.(field);
      return;
    }
    const place = units.hasUnsound ? `${pointer}/${member}/${parts.length}` : '';
    if (units.isUnsound(place)) units.takeUnsound(parts, bytes.subarray(field.from, field.to));
    else take(reading, parts, field, place);
  };
  for (const { payloadAt, to } of places) walk(payloadAt, to, takeField);
  return { own, parts };
}

/** A field around some of its parts. The order of unlike fields says nothing, so those beside the parts come first. */
function pushHolder(
  { units, bytes }: Reading,
  into: Piece[],
  { id, from, to }: WireField,
  { own, parts }: Opened,
): void {
  if (parts.length === 0) units.takeEmpty(into, bytes.subarray(from, to));
  else into.push({ within: parts, wrap: (pieces) => inField(id, [...own, ...pieces.flat()]) });
}

function inField(id: number, payload: Chunks): Chunks {
  const bytes = payload.reduce((sum, chunk) => sum + chunk.length, 0);
  return [fieldHeader(id, bytes), ...payload];
}

const takeResourceGroup: TakePart = (reading, into, field, pointer) => {
  const { signal, units } = reading;
  const { group } = MESSAGES[signal];
  const resourceId = idOf(group, 'resource');
  let shared: RawPairs = '';
  const opened = openMessage(reading, [field], pointer, {
    message: group,
    member: OTLP_SIGNALS[signal].scopeGroups,
    take: takeScopeGroup,
    onOther(other) {
      if (isMessageField(other, resourceId)) shared += sessionPairs(reading, 'Resource', other);
    },
  });
  units.endResource(shared);
  pushHolder(reading, into, field, opened);
};

const takeScopeGroup: TakePart = (reading, into, field, pointer) => {
  const { signal } = reading;
  const { scope: message, item } = MESSAGES[signal];
  const take = signal === 'metrics' ? takeMetric : takeItemOf(item);
  const member = OTLP_SIGNALS[signal].items;
  pushHolder(reading, into, field, openMessage(reading, [field], pointer, { message, member, take }));
};

function takeItemOf(message: MessageName): TakePart {
  return (reading, into, field) => {
    const { units, bytes } = reading;
    units.takeItem(into, bytes.subarray(field.from, field.to), sessionPairs(reading, message, field));
  };
}

/** A sound metric has one kind at most. */
const takeMetric: TakePart = (reading, into, field, pointer) => {
  const { units, bytes, walk } = reading;
  const beside: WireField[] = [];
  const data: MessageField[] = [];
  walk(field.payloadAt, field.to, (inner) => {
    if (kindOf(inner) === undefined) beside.push(inner);
    else data.push(inner as MessageField);
    return undefined;
  });
  const [first] = data;
  const kind = first === undefined ? undefined : kindOf(first);
  if (first === undefined || kind === undefined) {
    const raw = bytes.subarray(field.from, field.to);
    // One of a kind that came later is an item by itself; its attributes are not known.
    if (beside.every(isKnownMetricField)) units.takeEmpty(into, raw);
    else units.takeItem(into, raw, '');
    return;
  }
  const { message, point } = kind;
  const around = { message, member: 'dataPoints', take: takeItemOf(point) };
  const points = openMessage(reading, data, `${pointer}/${kind.name}`, around);
  const parts: Piece[] = [];
  if (points.parts.length > 0) pushHolder(reading, parts, first, points);
  pushHolder(reading, into, field, { own: beside.map(({ from, to }) => bytes.subarray(from, to)), parts });
};

const METRIC_FIELDS = Object.values(OTLP_MESSAGES.Metric);
const KINDS = METRIC_KINDS.map((name) => {
  const { id = 0, type } = OTLP_MESSAGES.Metric[name] ?? {};
  const message = type as MessageName;
  return { name, id, message, point: OTLP_MESSAGES[message]['dataPoints']?.type as MessageName };
});

function kindOf(field: WireField): (typeof KINDS)[number] | undefined {
  return KINDS.find(({ id }) => isMessageField(field, id));
}

/** All members of a metric are text or messages. */
function isKnownMetricField(field: WireField): boolean {
  return METRIC_FIELDS.some(({ id }) => isMessageField(field, id));
}

/** The attributes of a message that name a session, as many as it takes to tell it, each as a field of a resource. */
function sessionPairs(reading: Reading, message: MessageName, field: MessageField): RawPairs {
  const { units, bytes, walk } = reading;
  const attributesId = idOf(message, 'attributes');
  let pairs: RawPairs = '';
  walk(field.payloadAt, field.to, (attribute) => {
    if (!isMessageField(attribute, attributesId) || !namesSession(reading, attribute)) return undefined;
    const { payloadAt, to } = attribute;
    const header = fieldHeader(RESOURCE_ATTRIBUTES_ID, to - payloadAt);
    pairs += `${Buffer.from(header).toString('latin1')}${bytes.toString('latin1', payloadAt, to)}`;
    return units.isSettledBy(pairs) ? 'enough' : undefined;
  });
  return pairs;
}

const RESOURCE_ATTRIBUTES_ID = idOf('Resource', 'attributes');
const KEY_ID = idOf('KeyValue', 'key');

function namesSession({ bytes, walk }: Reading, pair: MessageField): boolean {
  let isNamed = false;
  walk(pair.payloadAt, pair.to, (field) => {
    // Of a field that comes twice the last counts.
    if (isMessageField(field, KEY_ID)) isNamed = isSessionAttribute(bytes, field);
    return undefined;
  });
  return isNamed;
}

const SESSION_NAMES = SESSION_ATTRIBUTES.map((name) => Buffer.from(name));

function isSessionAttribute(bytes: Buffer, { payloadAt, to }: MessageField): boolean {
  return SESSION_NAMES.some(
    (name) => name.length === to - payloadAt && name.compare(bytes, payloadAt, to) === 0,
  );
}
