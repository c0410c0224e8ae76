import type { EnvelopeHeader } from '../../../schemas/envelope.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import type { JsonObject } from '../../../schemas/json.ts';
import { toPointer } from '../../../schemas/json-pointer.ts';
import {
  MAX_ITEMS,
  MAX_SHARED_BYTES,
  oversizedBody,
  toBuffer,
  type DecodedBody,
  type UnitProblem,
} from '../body.ts';
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
import { cutRequest } from './cut-request.ts';
import { cutOtlpJson } from './json-pieces.ts';
import { cutOtlpProtobuf } from './protobuf-pieces.ts';
import { decodeProtobuf } from './protobuf.ts';
import { isMessage, ownMember } from './raw-message.ts';
import { normaliseMessage, type MessageWalk } from './values.ts';

/** One log record, data point or span, hashable as it is, in a form that does not depend on encoding or grouping. */
export interface OtlpItem {
  readonly index: number;
  readonly resource: JsonObject;
  readonly scope: JsonObject;
  /** The members that the points of one metric share: name, unit, kind, temporality. Empty for logs and spans. */
  readonly metric: JsonObject;
  readonly record: JsonObject;
}

/** An item that was only checked: the item as sent, and its resource in the normal form. */
export interface CheckedItem {
  readonly index: number;
  readonly resource: JsonObject;
  readonly raw: unknown;
}

export type DecodedOtlp = DecodedBody<OtlpItem>;
export type CheckedOtlp = DecodedBody<CheckedItem>;

const NO_METRIC: JsonObject = {};

interface Decoding {
  readonly signal: OtlpSignal;
  /** Whether items are brought into their normal form. If not, they are only checked, by the same rules. */
  readonly builds: boolean;
  readonly items: OtlpItem[];
  readonly checked: CheckedItem[];
  readonly problems: UnitProblem[];
  /** Problems of the JSON text by the unit that holds them. */
  readonly textProblems: ReadonlyMap<string, JsonProblem>;
  readonly walk: MessageWalk;
  /** Items and problems so far. */
  unitCount: number;
  /** Bytes of resource, scope and metric as the items so far repeat them. */
  sharedBytes: number;
}

/** The parts that the items of one scope share. */
interface SharedParts {
  readonly resource: JsonObject;
  readonly scope: JsonObject;
  readonly metric: JsonObject;
  readonly sharedBytes: number;
}

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
  const body = { signal, contentType, bytes, builds: true };
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
  const body = { signal, contentType, bytes, builds: false };
  const decoded = readBody(body);
  return finish(body, decoded, decoded.decoding.checked);
}

interface Body {
  readonly signal: OtlpSignal;
  readonly contentType: EnvelopeHeader['content_type'];
  readonly bytes: Uint8Array;
  readonly builds: boolean;
}

interface ReadRequest {
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
    decoding: takeRequest(body, request, new Map()),
    cutUnits(pointers) {
      const cuts = [...pointers].map(
        (pointer) => [pointer, cutRequest(signal, request, pointer) ?? bytes] as const,
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
    decoding: takeRequest(body, value, textProblems),
    cutUnits: (pointers) => cutValues(text, bytes, pointers),
  };
}

function finish<Item extends { readonly index: number }>(
  { signal, contentType, bytes }: Body,
  { decoding, cutUnits }: ReadRequest,
  items: readonly Item[],
): DecodedBody<Item> {
  if (isOversized(decoding)) return oversizedBody(bytes);
  const { problems, unitCount } = decoding;
  const cut = contentType === 'application/x-protobuf' ? cutOtlpProtobuf : cutOtlpJson;
  return {
    items,
    problems,
    itemCount: unitCount,
    unitBytes: () => cutUnits(new Set(problems.map((problem) => problem.unit_pointer))),
    cut: (units) => cut(signal, toBuffer(bytes), units),
  };
}

/** Once true, the rest of the body is not read. */
function isOversized(decoding: Decoding): boolean {
  return decoding.unitCount > MAX_ITEMS || decoding.sharedBytes > MAX_SHARED_BYTES;
}

/** The smallest unit of the body that holds a place: an item, a group around it, or '' for the body. */
function unitPointer(signal: OtlpSignal, pointer: string): string {
  const { resourceGroups, scopeGroups, items } = OTLP_SIGNALS[signal];
  const segments = pointer.split('/').slice(1);
  const names = [resourceGroups, scopeGroups, items];
  let length = 0;
  while (
    length < 6 &&
    segments[length] === names[length / 2] &&
    /^[0-9]+$/.test(segments[length + 1] ?? '')
  ) {
    length += 2;
  }
  const isInPoint =
    signal === 'metrics' && length === 6 && segments[7] === 'dataPoints' && segments.length > 8;
  const isKnownKind = METRIC_KINDS.some((kind) => kind === segments[6]);
  return toUnit(segments.slice(0, isInPoint && isKnownKind ? 9 : length));
}

function toUnit(segments: readonly string[]): string {
  return segments.map((segment) => `/${segment}`).join('');
}

function takeRequest(
  { signal, builds }: Body,
  request: unknown,
  textProblems: ReadonlyMap<string, JsonProblem>,
): Decoding {
  const { resourceGroups } = OTLP_SIGNALS[signal];
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    throw new PipelineError('BODY_MALFORMED', 'an OTLP request is a JSON object', { place: '' });
  }
  const groups = listMember(request, resourceGroups);
  if (groups === undefined) {
    const place = `/${resourceGroups}`;
    throw new PipelineError('BODY_MALFORMED', `${resourceGroups} is not an array`, { place });
  }
  const walk: MessageWalk = { path: [], problem: undefined, builds: true };
  const decoding: Decoding = {
    signal,
    builds,
    items: [],
    checked: [],
    problems: [],
    textProblems,
    walk,
    unitCount: 0,
    sharedBytes: 0,
  };
  if (!flagText(decoding)) {
    forEachPart(walk, resourceGroups, groups, (group) => takeResourceGroup(decoding, group));
  }
  return decoding;
}

/** Calls `take` for each element of a repeated member, with the walk at that element. */
function forEachPart(
  walk: MessageWalk,
  name: string,
  parts: readonly unknown[],
  take: (part: unknown) => void,
): void {
  const { path } = walk;
  path.push(name, 0);
  for (let index = 0; index < parts.length; index += 1) {
    path[path.length - 1] = index;
    take(parts[index]);
  }
  path.length -= 2;
}

function takeResourceGroup(decoding: Decoding, raw: unknown): void {
  if (isOversized(decoding) || flagText(decoding)) return;
  const { signal, walk } = decoding;
  const { scopeGroups } = OTLP_SIGNALS[signal];
  const { resource, ...rest } = normaliseMessage(walk, groupMessage(signal, 'resource'), raw, [scopeGroups]);
  const scopes = listMember(raw, scopeGroups);
  if (flagShape(decoding, scopes === undefined ? scopeGroups : undefined)) return;
  const merged = mergeGroup(resource, rest);
  forEachPart(walk, scopeGroups, scopes ?? [], (scope) => takeScopeGroup(decoding, scope, merged));
}

function takeScopeGroup(decoding: Decoding, raw: unknown, resource: JsonObject): void {
  if (flagText(decoding)) return;
  const { signal, walk } = decoding;
  const { items: itemsName } = OTLP_SIGNALS[signal];
  const { scope, ...rest } = normaliseMessage(walk, groupMessage(signal, 'scope'), raw, [itemsName]);
  const items = listMember(raw, itemsName);
  if (flagShape(decoding, items === undefined ? itemsName : undefined)) return;
  const merged = mergeGroup(scope, rest);
  const sharedBytes = JSON.stringify([resource, merged]).length;
  const group: SharedParts = { resource, scope: merged, metric: NO_METRIC, sharedBytes };
  const name = signal === 'logs' ? 'LogRecord' : 'Span';
  forEachPart(walk, itemsName, items ?? [], (item) => {
    if (signal === 'metrics') takeMetric(decoding, group, item);
    else takeItem(decoding, group, name, item);
  });
}

/** Adds the members beside a resource or scope (schema URL, unknown members) under a separate name. */
function mergeGroup(inner: JsonObject[string] | undefined, beside: JsonObject): JsonObject {
  const own =
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? (inner as JsonObject) : {};
  return Object.keys(beside).length === 0 ? own : { ...own, group: beside };
}

function takeMetric(decoding: Decoding, group: SharedParts, raw: unknown): void {
  if (isOversized(decoding) || flagText(decoding)) return;
  const { walk } = decoding;
  decoding.sharedBytes += group.sharedBytes;
  const header = normaliseMessage(walk, 'Metric', raw, METRIC_KINDS);
  const kinds = METRIC_KINDS.filter((kind) => (memberOf(raw, kind) ?? null) !== null);
  const [kind] = kinds;
  if (kinds.length > 1) walk.problem ??= { pointer: toPointer(walk.path), reason: 'item_shape_invalid' };
  if (flagShape(decoding, undefined)) return;
  if (kind === undefined) {
    // A kind of a later OTLP version is among the header's unknown members. Its metric is one item.
    if (header['unknown'] !== undefined) pushItem(decoding, { ...group, metric: header }, {}, {});
    return;
  }
  takePoints(decoding, group, { kind, raw: memberOf(raw, kind), header });
}

function takePoints(
  decoding: Decoding,
  group: SharedParts,
  data: {
    readonly kind: (typeof METRIC_KINDS)[number];
    readonly raw: unknown;
    readonly header: JsonObject;
  },
): void {
  const { walk } = decoding;
  const { kind, header } = data;
  const messages = { gauge: 'Gauge', sum: 'Sum', histogram: 'Histogram', summary: 'Summary' } as const;
  const message = kind === 'exponentialHistogram' ? 'ExponentialHistogram' : messages[kind];
  walk.path.push(kind);
  const shared = normaliseMessage(walk, message, data.raw, ['dataPoints']);
  walk.path.pop();
  const points = listMember(data.raw, 'dataPoints');
  if (flagShape(decoding, points === undefined ? `${kind}/dataPoints` : undefined)) return;
  const metric = { ...header, kind, ...shared, ...mergeUnknown(header, shared) };
  const name = OTLP_MESSAGES[message]['dataPoints']?.type as MessageName;
  const pointGroup = { ...group, metric, sharedBytes: group.sharedBytes + JSON.stringify(metric).length };
  walk.path.push(kind);
  forEachPart(walk, 'dataPoints', points ?? [], (point) => takeItem(decoding, pointGroup, name, point));
  walk.path.pop();
}

function mergeUnknown(header: JsonObject, shared: JsonObject): JsonObject {
  if (header['unknown'] === undefined || shared['unknown'] === undefined) return {};
  return { unknown: { metric: header['unknown'], data: shared['unknown'] } };
}

function takeItem(decoding: Decoding, group: SharedParts, name: MessageName, raw: unknown): void {
  if (isOversized(decoding) || flagText(decoding)) return;
  const { walk } = decoding;
  decoding.sharedBytes += group.sharedBytes;
  walk.builds = decoding.builds;
  const record = normaliseMessage(walk, name, raw);
  walk.builds = true;
  if (!flagShape(decoding, undefined)) pushItem(decoding, group, record, raw);
}

function pushItem(decoding: Decoding, group: SharedParts, record: JsonObject, raw: unknown): void {
  const { resource, scope, metric } = group;
  const index = decoding.unitCount;
  decoding.unitCount += 1;
  if (decoding.builds) decoding.items.push({ index, resource, scope, metric, record });
  else decoding.checked.push({ index, resource, raw });
}

/** Records the text problem of the current unit, if it has one. The parsed value of the unit is then not read. */
function flagText(decoding: Decoding): boolean {
  const { textProblems, walk } = decoding;
  if (textProblems.size === 0) return false;
  const unit = toPointer(walk.path);
  const problem = textProblems.get(unit);
  if (problem !== undefined) pushProblem(decoding, unit, problem);
  return problem !== undefined;
}

/** Records the problem that the walk found in the current unit, and clears it for the next unit. */
function flagShape(decoding: Decoding, badMember: string | undefined): boolean {
  const { walk } = decoding;
  if (walk.problem === undefined && badMember === undefined) return false;
  const unit = toPointer(walk.path);
  const problem = walk.problem ?? { pointer: `${unit}/${badMember}`, reason: 'item_shape_invalid' };
  walk.problem = undefined;
  pushProblem(decoding, unit, problem);
  return true;
}

function pushProblem(decoding: Decoding, unit: string, problem: JsonProblem): void {
  const index = decoding.unitCount;
  decoding.unitCount += 1;
  decoding.problems.push({ index, unit_pointer: unit, pointer: problem.pointer, reason: problem.reason });
}

function groupMessage(signal: OtlpSignal, level: 'resource' | 'scope'): MessageName {
  if (signal === 'logs') return level === 'resource' ? 'ResourceLogs' : 'ScopeLogs';
  if (signal === 'metrics') return level === 'resource' ? 'ResourceMetrics' : 'ScopeMetrics';
  return level === 'resource' ? 'ResourceSpans' : 'ScopeSpans';
}

function memberOf(raw: unknown, name: string): unknown {
  return isMessage(raw) ? ownMember(raw, name) : undefined;
}

/** A repeated member as a list: absent or null is empty, anything but an array is undefined. */
function listMember(raw: unknown, name: string): readonly unknown[] | undefined {
  const value = memberOf(raw, name) ?? [];
  return Array.isArray(value) ? value : undefined;
}
