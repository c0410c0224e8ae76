/** The bytes of an OTLP request in protobuf as pieces, each of one item or of a group that stays in one piece. */
import { emptyUnit, type Chunks, type Holder, type Piece, type UnitSequence } from '../pieces.ts';
import {
  METRIC_KINDS,
  OTLP_MESSAGES,
  OTLP_SIGNALS,
  type MessageName,
  type OtlpSignal,
} from './descriptor.ts';
import { PROTOBUF_FIELDS, unreadPointer } from './unread.ts';
import { createFieldWalk, fieldHeader, type WalkFields, type WireField } from './wire-fields.ts';

interface Cutting {
  readonly signal: OtlpSignal;
  readonly units: UnitSequence;
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

type TakePart = (cutting: Cutting, into: Piece[], field: MessageField, pointer: string) => void;

const MESSAGES = {
  logs: { request: 'LogsRequest', group: 'ResourceLogs', scope: 'ScopeLogs' },
  metrics: { request: 'MetricsRequest', group: 'ResourceMetrics', scope: 'ScopeMetrics' },
  traces: { request: 'TraceRequest', group: 'ResourceSpans', scope: 'ScopeSpans' },
} as const satisfies Readonly<Record<OtlpSignal, Readonly<Record<string, MessageName>>>>;

/** The pieces of a request that the decoder has accepted; undefined if the request has no pieces. */
export function cutOtlpProtobuf(signal: OtlpSignal, bytes: Buffer, units: UnitSequence): Holder | undefined {
  const cutting = { signal, units, bytes, walk: createFieldWalk(bytes) };
  const member = OTLP_SIGNALS[signal].resourceGroups;
  const { own, parts } = openMessage(cutting, [{ payloadAt: 0, to: bytes.length }], '', {
    message: MESSAGES[signal].request,
    member,
    take: takeResourceGroup,
  });
  if (parts.length === 0) return undefined;
  if (!units.isUnsound(unreadPointer('', PROTOBUF_FIELDS))) {
    return { within: parts, wrap: (pieces) => [...own, ...pieces.flat()] };
  }
  // The fields beside the groups are one item.
  const within = [...parts, units.take(Buffer.concat(own))];
  return { within, wrap: (pieces) => pieces.flat() };
}

function idOf(message: MessageName, member: string): number {
  return OTLP_MESSAGES[message][member]?.id ?? 0;
}

/** Whether a field is the message with this number. To the reader a field of another wire type is unknown. */
function isMessageField(field: WireField, id: number): field is MessageField {
  return field.id === id && field.payloadAt !== undefined;
}

interface Around {
  readonly message: MessageName;
  readonly member: string;
  readonly take: TakePart;
}

/**
 * Opens a message. It lies in several places if its field comes more than once, because the reader merges such
 * fields.
 */
function openMessage(
  cutting: Cutting,
  places: readonly Pick<MessageField, 'payloadAt' | 'to'>[],
  pointer: string,
  { message, member, take }: Around,
): Opened {
  const { units, bytes, walk } = cutting;
  const id = idOf(message, member);
  const own: Uint8Array[] = [];
  const parts: Piece[] = [];
  const takeField = (field: WireField): undefined => {
    if (!isMessageField(field, id)) {
      own.push(bytes.subarray(field.from, field.to));
      return;
    }
    const place = units.hasUnsound ? `${pointer}/${member}/${parts.length}` : '';
    if (units.isUnsound(place)) parts.push(units.take(bytes.subarray(field.from, field.to)));
    else take(cutting, parts, field, place);
  };
  for (const { payloadAt, to } of places) walk(payloadAt, to, takeField);
  return { own, parts };
}

/**
 * Adds a field as a holder of its parts. The order of different fields has no meaning, so the other fields come
 * first.
 */
function pushHolder(
  { bytes }: Cutting,
  into: Piece[],
  { id, from, to }: WireField,
  { own, parts }: Opened,
): void {
  if (parts.length === 0) into.push(emptyUnit(bytes.subarray(from, to)));
  else into.push({ within: parts, wrap: (pieces) => inField(id, [...own, ...pieces.flat()]) });
}

function inField(id: number, payload: Chunks): Chunks {
  const bytes = payload.reduce((sum, chunk) => sum + chunk.length, 0);
  return [fieldHeader(id, bytes), ...payload];
}

const takeResourceGroup: TakePart = (cutting, into, field, pointer) => {
  const { signal } = cutting;
  const around = {
    message: MESSAGES[signal].group,
    member: OTLP_SIGNALS[signal].scopeGroups,
    take: takeScopeGroup,
  };
  pushHolder(cutting, into, field, openMessage(cutting, [field], pointer, around));
};

const takeScopeGroup: TakePart = (cutting, into, field, pointer) => {
  const { signal } = cutting;
  const take = signal === 'metrics' ? takeMetric : takeItem;
  const around = { message: MESSAGES[signal].scope, member: OTLP_SIGNALS[signal].items, take };
  pushHolder(cutting, into, field, openMessage(cutting, [field], pointer, around));
};

const takeItem: TakePart = ({ units, bytes }, into, { from, to }) => {
  into.push(units.take(bytes.subarray(from, to)));
};

/** A sound metric has one kind at most. */
const takeMetric: TakePart = (cutting, into, field, pointer) => {
  const { units, bytes, walk } = cutting;
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
    // A metric of a kind from a later version is one item.
    into.push(beside.every(isKnownMetricField) ? emptyUnit(raw) : units.take(raw));
    return;
  }
  const around = { message: kind.message, member: 'dataPoints', take: takeItem };
  const points = openMessage(cutting, data, `${pointer}/${kind.name}`, around);
  const parts: Piece[] = [];
  if (points.parts.length > 0) pushHolder(cutting, parts, first, points);
  pushHolder(cutting, into, field, { own: beside.map(({ from, to }) => bytes.subarray(from, to)), parts });
};

const METRIC_FIELDS = Object.values(OTLP_MESSAGES.Metric);
const KINDS = METRIC_KINDS.map((name) => {
  const { id = 0, type } = OTLP_MESSAGES.Metric[name] ?? {};
  return { name, id, message: type as MessageName };
});

function kindOf(field: WireField): (typeof KINDS)[number] | undefined {
  return KINDS.find(({ id }) => isMessageField(field, id));
}

/** All members of a metric are text or messages. */
function isKnownMetricField(field: WireField): boolean {
  return METRIC_FIELDS.some(({ id }) => isMessageField(field, id));
}
