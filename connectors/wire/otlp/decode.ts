import type { EnvelopeHeader } from '../../../schemas/envelope.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import type { JsonObject } from '../../../schemas/json.ts';
import { toPointer } from '../../../schemas/json-pointer.ts';
import { oversizedBody, toBuffer, type DecodedBody, type ItemPlace } from '../body.ts';
import type { JsonProblem } from '../json/problems.ts';
import { parseStrict } from '../json/strict-json.ts';
import { cutValues } from '../json/cut-values.ts';
import {
  METRIC_KINDS,
  OTLP_MESSAGES,
  OTLP_SIGNALS,
  type MessageName,
  type OtlpSignal,
} from './descriptor.ts';
import { countItems } from './count-items.ts';
import { cutRequest, cutUnknownFields } from './cut-request.ts';
import {
  flagShape,
  flagText,
  flagUnread,
  forEachPart,
  isOversized,
  listMember,
  memberOf,
  pushItem,
  pushUnread,
  type CheckedItem,
  type Decoding,
  type OtlpItem,
  type SharedParts,
} from './decoding.ts';
import { cutOtlpJson } from './json-pieces.ts';
import { cutOtlpProtobuf } from './protobuf-pieces.ts';
import { decodeProtobuf } from './protobuf.ts';
import { isMessage } from './raw-message.ts';
import { givenName } from './spelling.ts';
import { unitPointer } from './unit-pointer.ts';
import { describeUnread, unreadMembers, unreadPointer } from './unread.ts';
import { normaliseMessage, type MessageWalk } from './values.ts';

/** A request that was taken apart. */
export interface Decoded<Item extends { readonly index: number }> extends DecodedBody<Item> {
  /**
   * The error with which a receiver must refuse a request that has no items, but members that are not read: an answer
   * of success would lose them. Undefined for any other request.
   */
  readonly refusal: PipelineError | undefined;
}

export type DecodedOtlp = Decoded<OtlpItem>;
export type CheckedOtlp = Decoded<CheckedItem>;

const NO_METRIC: JsonObject = {};

/**
 * Decodes an OTLP/HTTP request in either encoding into the same items. A protobuf unit in quarantine is encoded again
 * as a separate request. An absent array counts as an empty one. Throws BODY_MALFORMED with the place if the body is
 * not of its encoding, or not an export request at all.
 */
export function decodeOtlp(
  signal: OtlpSignal,
  contentType: EnvelopeHeader['content_type'],
  bytes: Uint8Array,
): DecodedOtlp {
  const body = { signal, contentType, bytes, builds: true, pointers: undefined };
  const decoded = readBody(body);
  return finish(body, decoded, decoded.decoding.items);
}

/**
 * Finds the same items and problems as `decodeOtlp` does, and throws the same errors, without the cost of any item's
 * normal form.
 */
export function checkOtlp(
  signal: OtlpSignal,
  contentType: EnvelopeHeader['content_type'],
  bytes: Uint8Array,
): CheckedOtlp {
  const body = { signal, contentType, bytes, builds: false, pointers: undefined };
  const decoded = readBody(body);
  return finish(body, decoded, decoded.decoding.checked);
}

interface Body {
  readonly signal: OtlpSignal;
  readonly contentType: EnvelopeHeader['content_type'];
  readonly bytes: Uint8Array;
  readonly builds: boolean;
  readonly pointers: Map<number, string> | undefined;
}

interface ReadRequest {
  readonly request: unknown;
  readonly decoding: Decoding;
  /** The bytes of the units at these pointers. */
  readonly cutUnits: (pointers: ReadonlySet<string>) => Map<string, Uint8Array>;
}

function readBody(body: Body): ReadRequest {
  return body.contentType === 'application/x-protobuf' ? readBinary(body) : readJson(body);
}

function readBinary(body: Body): ReadRequest {
  const { signal, bytes } = body;
  const request = decodeProtobuf(signal, bytes);
  return {
    request,
    decoding: takeRequest(body, request, new Map()),
    cutUnits(pointers) {
      const cuts = [...pointers].map(
        (pointer) =>
          [
            pointer,
            cutUnknownFields(request, pointer) ?? cutRequest(signal, request, pointer) ?? bytes,
          ] as const,
      );
      return new Map(cuts);
    },
  };
}

function readJson(body: Body): ReadRequest {
  const { signal, bytes } = body;
  const { text, value, problems } = parseStrict(bytes);
  const textProblems = new Map<string, JsonProblem>();
  for (const problem of problems) {
    const unit = unitPointer(signal, problem.pointer);
    if (!textProblems.has(unit)) textProblems.set(unit, problem);
  }
  return {
    request: value,
    decoding: takeRequest(body, value, textProblems),
    cutUnits: (pointers) => cutValues(text, bytes, pointers),
  };
}

function finish<Item extends { readonly index: number }>(
  body: Body,
  { request, decoding, cutUnits }: ReadRequest,
  items: readonly Item[],
): Decoded<Item> {
  const { signal, contentType, bytes } = body;
  if (isOversized(decoding)) {
    return { ...oversizedBody<Item>(bytes, countItems(signal, 0, request)), refusal: undefined };
  }
  let places: ReadonlyMap<number, ItemPlace> | undefined;
  const { problems, unitCount } = decoding;
  const cut = contentType === 'application/x-protobuf' ? cutOtlpProtobuf : cutOtlpJson;
  return {
    items,
    problems,
    unitCount,
    unitBytes: () => cutUnits(new Set(problems.map((problem) => problem.unit_pointer))),
    placeOf: ({ index }) => (places ??= findPlaces(body)).get(index) ?? { pointer: '', bytes },
    cut: (units) => cut(signal, toBuffer(bytes), units),
    refusal: toRefusal(decoding),
  };
}

/** Reads the body again, because an item that cannot be sealed is rare, and other bodies need no places. */
function findPlaces(body: Body): ReadonlyMap<number, ItemPlace> {
  const pointers = new Map<number, string>();
  const cuts = readBody({ ...body, builds: false, pointers }).cutUnits(new Set(pointers.values()));
  const places = [...pointers].map(
    ([index, pointer]) => [index, { pointer, bytes: cuts.get(pointer) ?? body.bytes }] as const,
  );
  return new Map(places);
}

function toRefusal({ signal, unread, unitCount }: Decoding): PipelineError | undefined {
  const [first] = unread;
  if (first === undefined || unread.length < unitCount) return undefined;
  return new PipelineError('BODY_MALFORMED', describeUnread(signal, first), { place: first.pointer });
}

function takeRequest(
  { signal, builds, pointers }: Body,
  request: unknown,
  textProblems: ReadonlyMap<string, JsonProblem>,
): Decoding {
  const { resourceGroups } = OTLP_SIGNALS[signal];
  if (!isMessage(request)) {
    throw new PipelineError('BODY_MALFORMED', 'an OTLP request is a JSON object', { place: '' });
  }
  const { given, list: groups } = listMember(request, resourceGroups);
  if (groups === undefined) {
    const place = `/${given}`;
    throw new PipelineError('BODY_MALFORMED', `${resourceGroups} is not an array`, { place });
  }
  const walk: MessageWalk = { path: [], problem: undefined, builds: true };
  const decoding: Decoding = {
    signal,
    builds,
    items: [],
    checked: [],
    problems: [],
    unread: [],
    textProblems,
    pointers,
    walk,
    unitCount: 0,
    sharedBytes: 0,
  };
  if (flagText(decoding, request)) return decoding;
  const header = normaliseMessage(walk, OTLP_SIGNALS[signal].request, request, [resourceGroups]);
  if (flagShape(decoding, undefined, request)) return decoding;
  forEachPart(walk, given, groups, (group) => takeResourceGroup(decoding, group));
  flagBeside(decoding, header);
  return decoding;
}

/**
 * Members of the request beside its groups belong to no item, so each is kept as an item in quarantine. The unknown
 * fields of a protobuf message are one such item.
 */
function flagBeside(decoding: Decoding, header: JsonObject): void {
  for (const [name, value] of Object.entries(unreadMembers(header))) {
    pushUnread(decoding, unreadPointer('', name), { level: 'request', unknown: { [name]: value } });
  }
}

function takeResourceGroup(decoding: Decoding, raw: unknown): void {
  if (isOversized(decoding) || flagText(decoding, raw)) return;
  const { signal, walk } = decoding;
  const { scopeGroups } = OTLP_SIGNALS[signal];
  const { resource, ...rest } = normaliseMessage(walk, groupMessage(signal, 'resource'), raw, [scopeGroups]);
  const { given, list: scopes } = listMember(raw, scopeGroups);
  if (flagShape(decoding, scopes === undefined ? given : undefined, raw)) return;
  const merged = mergeGroup(resource, rest);
  const countBefore = decoding.unitCount;
  forEachPart(walk, given, scopes ?? [], (scope) => takeScopeGroup(decoding, scope, merged));
  flagUnread(decoding, 'resource', countBefore, [rest, resource ?? null]);
}

function takeScopeGroup(decoding: Decoding, raw: unknown, resource: JsonObject): void {
  if (flagText(decoding, raw)) return;
  const { signal, walk } = decoding;
  const { items: itemsName } = OTLP_SIGNALS[signal];
  const { scope, ...rest } = normaliseMessage(walk, groupMessage(signal, 'scope'), raw, [itemsName]);
  const { given, list: items } = listMember(raw, itemsName);
  if (flagShape(decoding, items === undefined ? given : undefined, raw)) return;
  const merged = mergeGroup(scope, rest);
  const sharedBytes = JSON.stringify([resource, merged]).length;
  const group: SharedParts = { resource, scope: merged, metric: NO_METRIC, sharedBytes };
  const name = signal === 'logs' ? 'LogRecord' : 'Span';
  const countBefore = decoding.unitCount;
  forEachPart(walk, given, items ?? [], (item) => {
    if (signal === 'metrics') takeMetric(decoding, group, item);
    else takeItem(decoding, group, name, item);
  });
  flagUnread(decoding, 'scope', countBefore, [rest, scope ?? null]);
}

/** Adds the members beside a resource or scope (schema URL, unknown members) under a separate name. */
function mergeGroup(inner: JsonObject[string] | undefined, beside: JsonObject): JsonObject {
  const own =
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? (inner as JsonObject) : {};
  return Object.keys(beside).length === 0 ? own : { ...own, group: beside };
}

function takeMetric(decoding: Decoding, group: SharedParts, raw: unknown): void {
  if (isOversized(decoding) || flagText(decoding, raw)) return;
  const { walk } = decoding;
  decoding.sharedBytes += group.sharedBytes;
  const header = normaliseMessage(walk, 'Metric', raw, METRIC_KINDS);
  const kinds = METRIC_KINDS.filter((kind) => (memberOf(raw, kind) ?? null) !== null);
  const [kind] = kinds;
  if (kinds.length > 1) walk.problem ??= { pointer: toPointer(walk.path), reason: 'item_shape_invalid' };
  if (flagShape(decoding, undefined, raw)) return;
  if (kind === undefined) {
    // A kind of a later OTLP version is among the header's unknown members. Its metric is one item.
    if (header['unknown'] !== undefined) pushItem(decoding, { ...group, metric: header }, {}, {});
    return;
  }
  const given = isMessage(raw) ? givenName(raw, kind) : kind;
  takePoints(decoding, group, { kind, given, raw: memberOf(raw, kind), metric: raw, header });
}

function takePoints(
  decoding: Decoding,
  group: SharedParts,
  data: {
    readonly kind: (typeof METRIC_KINDS)[number];
    /** The kind as the metric spells it. */
    readonly given: string;
    readonly raw: unknown;
    /** The metric around it. */
    readonly metric: unknown;
    readonly header: JsonObject;
  },
): void {
  const { walk } = decoding;
  const { kind, header } = data;
  const messages = { gauge: 'Gauge', sum: 'Sum', histogram: 'Histogram', summary: 'Summary' } as const;
  const message = kind === 'exponentialHistogram' ? 'ExponentialHistogram' : messages[kind];
  walk.path.push(data.given);
  const shared = normaliseMessage(walk, message, data.raw, ['dataPoints']);
  walk.path.pop();
  const { given, list: points } = listMember(data.raw, 'dataPoints');
  if (flagShape(decoding, points === undefined ? `${data.given}/${given}` : undefined, data.metric)) return;
  const metric = { ...header, kind, ...shared, ...mergeUnknown(header, shared) };
  const name = OTLP_MESSAGES[message]['dataPoints']?.type as MessageName;
  const pointGroup = { ...group, metric, sharedBytes: group.sharedBytes + JSON.stringify(metric).length };
  const countBefore = decoding.unitCount;
  walk.path.push(data.given);
  forEachPart(walk, given, points ?? [], (point) => takeItem(decoding, pointGroup, name, point));
  walk.path.pop();
  flagUnread(decoding, 'metric', countBefore, [header, shared]);
}

function mergeUnknown(header: JsonObject, shared: JsonObject): JsonObject {
  if (header['unknown'] === undefined || shared['unknown'] === undefined) return {};
  return { unknown: { metric: header['unknown'], data: shared['unknown'] } };
}

function takeItem(decoding: Decoding, group: SharedParts, name: MessageName, raw: unknown): void {
  if (isOversized(decoding) || flagText(decoding, raw)) return;
  const { walk } = decoding;
  decoding.sharedBytes += group.sharedBytes;
  walk.builds = decoding.builds;
  const record = normaliseMessage(walk, name, raw);
  walk.builds = true;
  if (!flagShape(decoding, undefined, raw)) pushItem(decoding, group, record, raw);
}

function groupMessage(signal: OtlpSignal, level: 'resource' | 'scope'): MessageName {
  if (signal === 'logs') return level === 'resource' ? 'ResourceLogs' : 'ScopeLogs';
  if (signal === 'metrics') return level === 'resource' ? 'ResourceMetrics' : 'ScopeMetrics';
  return level === 'resource' ? 'ResourceSpans' : 'ScopeSpans';
}
