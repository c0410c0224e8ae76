import type { EnvelopeHeader } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import {
  MAX_ITEMS,
  MAX_SHARED_BYTES,
  oversizedBody,
  type DecodedBody,
  type UnitProblem,
} from '../quarantine.ts';
import { parseStrict, type JsonProblem } from '../json/strict-json.ts';
import { cutValues } from '../json/cut-values.ts';
import {
  METRIC_KINDS,
  OTLP_MESSAGES,
  OTLP_SIGNALS,
  type MessageName,
  type OtlpSignal,
} from './descriptor.ts';
import { cutRequest } from './cut-request.ts';
import { decodeProtobuf } from './protobuf.ts';
import { normaliseMessage, ownMember, toPointer, type Walk } from './values.ts';

/** One log record, data point or span, hashable as it is, in a form that does not depend on encoding or grouping. */
export interface OtlpItem {
  readonly index: number;
  /** Place in the OTLP/JSON form of the body. */
  readonly pointer: string;
  readonly resource: JsonObject;
  readonly scope: JsonObject;
  /** What the points of one metric share: name, unit, kind, temporality. Empty for logs and spans. */
  readonly metric: JsonObject;
  readonly record: JsonObject;
}

export type DecodedOtlp = DecodedBody<OtlpItem>;

const NO_METRIC: JsonObject = {};

interface Decoding {
  readonly signal: OtlpSignal;
  readonly items: OtlpItem[];
  readonly problems: UnitProblem[];
  /** Problems of the JSON text by the unit that holds them. */
  readonly textProblems: ReadonlyMap<string, JsonProblem>;
  /** Bytes of resource, scope and metric as the items so far repeat them. */
  sharedBytes: number;
}

interface Group {
  readonly path: (string | number)[];
  readonly resource: JsonObject;
  readonly scope: JsonObject;
  readonly sharedBytes: number;
}

/**
 * Decodes an OTLP/HTTP request in either encoding into the same items; a protobuf unit in quarantine is a request of
 * its own, encoded again. Absent arrays are empty ones.
 * Throws BODY_MALFORMED with the place if the body is not of its encoding, or not an export request at all.
 */
export function decodeOtlp(
  signal: OtlpSignal,
  contentType: EnvelopeHeader['content_type'],
  bytes: Uint8Array,
): DecodedOtlp {
  return contentType === 'application/x-protobuf' ? decodeBinary(signal, bytes) : decodeJson(signal, bytes);
}

function decodeBinary(signal: OtlpSignal, bytes: Uint8Array): DecodedOtlp {
  const request = decodeProtobuf(signal, bytes);
  const decoding: Decoding = { signal, items: [], problems: [], textProblems: new Map(), sharedBytes: 0 };
  takeRequest(decoding, request);
  return finish(decoding, bytes, (pointers) => {
    const cuts = [...pointers].map(
      (pointer) => [pointer, cutRequest(signal, request, pointer) ?? bytes] as const,
    );
    return new Map(cuts);
  });
}

function decodeJson(signal: OtlpSignal, bytes: Uint8Array): DecodedOtlp {
  const { text, value, problems } = parseStrict(bytes);
  const textProblems = new Map<string, JsonProblem>();
  for (const problem of problems) {
    const unit = unitPointer(signal, problem.pointer);
    if (!textProblems.has(unit)) textProblems.set(unit, problem);
  }
  const decoding: Decoding = { signal, items: [], problems: [], textProblems, sharedBytes: 0 };
  takeRequest(decoding, value);
  return finish(decoding, bytes, (pointers) => cutValues(text, bytes, pointers));
}

function finish(
  decoding: Decoding,
  bytes: Uint8Array,
  cut: (pointers: ReadonlySet<string>) => Map<string, Uint8Array>,
): DecodedOtlp {
  if (isOversized(decoding)) return oversizedBody(bytes);
  const { items, problems } = decoding;
  return {
    items,
    problems,
    itemCount: countUnits(decoding),
    unitBytes: () => cut(new Set(problems.map((problem) => problem.unit_pointer))),
  };
}

function countUnits({ items, problems }: Decoding): number {
  return items.length + problems.length;
}

/** Once true, the rest of the body is not looked at. */
function isOversized(decoding: Decoding): boolean {
  return countUnits(decoding) > MAX_ITEMS || decoding.sharedBytes > MAX_SHARED_BYTES;
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

function takeRequest(decoding: Decoding, request: unknown): void {
  const { resourceGroups } = OTLP_SIGNALS[decoding.signal];
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    throw new PipelineError('BODY_MALFORMED', 'an OTLP request is a JSON object', { place: '' });
  }
  const groups = listMember(request, resourceGroups);
  if (groups === undefined) {
    const place = `/${resourceGroups}`;
    throw new PipelineError('BODY_MALFORMED', `${resourceGroups} is not an array`, { place });
  }
  if (flagText(decoding, [])) return;
  groups.forEach((group, index) => takeResourceGroup(decoding, [resourceGroups, index], group));
}

function takeResourceGroup(decoding: Decoding, path: (string | number)[], raw: unknown): void {
  if (isOversized(decoding) || flagText(decoding, path)) return;
  const { scopeGroups } = OTLP_SIGNALS[decoding.signal];
  const name = groupMessage(decoding.signal, 'resource');
  const walk: Walk = { path: [...path], problem: undefined };
  const { resource, ...rest } = normaliseMessage(walk, name, raw, [scopeGroups]);
  const scopes = listMember(raw, scopeGroups);
  if (flagShape(decoding, path, walk, scopes === undefined ? scopeGroups : undefined)) return;
  const merged = mergeGroup(resource, rest);
  scopes?.forEach((scope, index) => takeScopeGroup(decoding, [...path, scopeGroups, index], scope, merged));
}

function takeScopeGroup(
  decoding: Decoding,
  path: (string | number)[],
  raw: unknown,
  resource: JsonObject,
): void {
  if (flagText(decoding, path)) return;
  const { items: itemsName } = OTLP_SIGNALS[decoding.signal];
  const name = groupMessage(decoding.signal, 'scope');
  const walk: Walk = { path: [...path], problem: undefined };
  const { scope, ...rest } = normaliseMessage(walk, name, raw, [itemsName]);
  const items = listMember(raw, itemsName);
  if (flagShape(decoding, path, walk, items === undefined ? itemsName : undefined)) return;
  const merged = mergeGroup(scope, rest);
  const sharedBytes = JSON.stringify([resource, merged]).length;
  items?.forEach((item, index) => {
    const group: Group = { path: [...path, itemsName, index], resource, scope: merged, sharedBytes };
    if (decoding.signal === 'metrics') takeMetric(decoding, group, item);
    else
      takeItem(
        decoding,
        group,
        { name: decoding.signal === 'logs' ? 'LogRecord' : 'Span', raw: item },
        NO_METRIC,
      );
  });
}

/** What stands beside a resource or scope (its schema URL, unknown members) is told apart from what is in it. */
function mergeGroup(inner: JsonObject[string] | undefined, beside: JsonObject): JsonObject {
  const own =
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? (inner as JsonObject) : {};
  return Object.keys(beside).length === 0 ? own : { ...own, group: beside };
}

function takeMetric(decoding: Decoding, group: Group, raw: unknown): void {
  if (isOversized(decoding) || flagText(decoding, group.path)) return;
  decoding.sharedBytes += group.sharedBytes;
  const walk: Walk = { path: [...group.path], problem: undefined };
  const header = normaliseMessage(walk, 'Metric', raw, METRIC_KINDS);
  const kinds = METRIC_KINDS.filter((kind) => (memberOf(raw, kind) ?? null) !== null);
  const [kind] = kinds;
  if (kinds.length > 1) walk.problem ??= { pointer: toPointer(group.path), reason: 'item_shape_invalid' };
  if (flagShape(decoding, group.path, walk, undefined)) return;
  if (kind === undefined) {
    // A kind of a later OTLP version stands under the header's unknown members and is one item.
    if (header['unknown'] !== undefined) pushItem(decoding, group, header, {});
    return;
  }
  takePoints(decoding, group, { kind, raw: memberOf(raw, kind) }, header);
}

function takePoints(
  decoding: Decoding,
  group: Group,
  data: { readonly kind: (typeof METRIC_KINDS)[number]; readonly raw: unknown },
  header: JsonObject,
): void {
  const messages = { gauge: 'Gauge', sum: 'Sum', histogram: 'Histogram', summary: 'Summary' } as const;
  const message = data.kind === 'exponentialHistogram' ? 'ExponentialHistogram' : messages[data.kind];
  const walk: Walk = { path: [...group.path, data.kind], problem: undefined };
  const shared = normaliseMessage(walk, message, data.raw, ['dataPoints']);
  const points = listMember(data.raw, 'dataPoints');
  if (flagShape(decoding, group.path, walk, points === undefined ? `${data.kind}/dataPoints` : undefined))
    return;
  const metric = { ...header, kind: data.kind, ...shared, ...mergeUnknown(header, shared) };
  const name = OTLP_MESSAGES[message]['dataPoints']?.type as MessageName;
  const sharedBytes = group.sharedBytes + JSON.stringify(metric).length;
  points?.forEach((point, index) => {
    const path = [...group.path, data.kind, 'dataPoints', index];
    takeItem(decoding, { ...group, path, sharedBytes }, { name, raw: point }, metric);
  });
}

function mergeUnknown(header: JsonObject, shared: JsonObject): JsonObject {
  if (header['unknown'] === undefined || shared['unknown'] === undefined) return {};
  return { unknown: { metric: header['unknown'], data: shared['unknown'] } };
}

function takeItem(
  decoding: Decoding,
  group: Group,
  item: { readonly name: MessageName; readonly raw: unknown },
  metric: JsonObject,
): void {
  if (isOversized(decoding) || flagText(decoding, group.path)) return;
  decoding.sharedBytes += group.sharedBytes;
  const walk: Walk = { path: [...group.path], problem: undefined };
  const record = normaliseMessage(walk, item.name, item.raw);
  if (!flagShape(decoding, group.path, walk, undefined)) pushItem(decoding, group, metric, record);
}

function pushItem(decoding: Decoding, group: Group, metric: JsonObject, record: JsonObject): void {
  const index = countUnits(decoding);
  const { resource, scope } = group;
  decoding.items.push({ index, pointer: toPointer(group.path), resource, scope, metric, record });
}

/** Notes the problem that the text of a unit has; its parsed value is then not looked at. */
function flagText(decoding: Decoding, path: readonly (string | number)[]): boolean {
  if (decoding.textProblems.size === 0) return false;
  const unit = toPointer(path);
  const problem = decoding.textProblems.get(unit);
  if (problem !== undefined) pushProblem(decoding, unit, problem);
  return problem !== undefined;
}

function flagShape(
  decoding: Decoding,
  path: readonly (string | number)[],
  walk: Walk,
  badMember: string | undefined,
): boolean {
  const unit = toPointer(path);
  if (badMember !== undefined)
    walk.problem ??= { pointer: `${unit}/${badMember}`, reason: 'item_shape_invalid' };
  if (walk.problem !== undefined) pushProblem(decoding, unit, walk.problem);
  return walk.problem !== undefined;
}

function pushProblem(decoding: Decoding, unit: string, problem: JsonProblem): void {
  const index = countUnits(decoding);
  decoding.problems.push({ index, unit_pointer: unit, pointer: problem.pointer, reason: problem.reason });
}

function groupMessage(signal: OtlpSignal, level: 'resource' | 'scope'): MessageName {
  if (signal === 'logs') return level === 'resource' ? 'ResourceLogs' : 'ScopeLogs';
  if (signal === 'metrics') return level === 'resource' ? 'ResourceMetrics' : 'ScopeMetrics';
  return level === 'resource' ? 'ResourceSpans' : 'ScopeSpans';
}

function memberOf(raw: unknown, name: string): unknown {
  return typeof raw === 'object' && raw !== null
    ? ownMember(raw as Readonly<Record<string, unknown>>, name)
    : undefined;
}

/** A repeated member as a list: absent or null is empty, anything but an array is undefined. */
function listMember(raw: unknown, name: string): readonly unknown[] | undefined {
  const value = memberOf(raw, name) ?? [];
  return Array.isArray(value) ? value : undefined;
}
