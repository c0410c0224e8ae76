/** The state of reading one OTLP request: its items and problems so far, and the place that is read. */
import type { JsonObject, JsonValue } from '../../../schemas/json.ts';
import { toPointer } from '../../../schemas/json-pointer.ts';
import { MAX_ITEMS, MAX_SHARED_BYTES, type UnitProblem } from '../body.ts';
import type { JsonProblem } from '../json/problems.ts';
import { countItems } from './count-items.ts';
import type { OtlpSignal } from './descriptor.ts';
import { isMessage, ownMember } from './raw-message.ts';
import { givenName } from './spelling.ts';
import { PROTOBUF_FIELDS, unreadMembers, unreadPointer, type Level, type UnreadPart } from './unread.ts';
import type { MessageWalk } from './values.ts';

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

export interface Decoding {
  readonly signal: OtlpSignal;
  /** Whether items are brought into their normal form. If not, they are only checked, by the same rules. */
  readonly builds: boolean;
  readonly items: OtlpItem[];
  readonly checked: CheckedItem[];
  readonly problems: UnitProblem[];
  /** Parts without items whose members are not read; each is a problem too. */
  readonly unread: UnreadPart[];
  /** Problems of the JSON text by the unit that holds them. */
  readonly textProblems: ReadonlyMap<string, JsonProblem>;
  /** Filled with the place of each item, if it is given. */
  readonly pointers: Map<number, string> | undefined;
  readonly walk: MessageWalk;
  /** Items and problems so far. */
  unitCount: number;
  /** Bytes of resource, scope and metric as the items so far repeat them. */
  sharedBytes: number;
}

/** The parts that the items of one scope share. */
export interface SharedParts {
  readonly resource: JsonObject;
  readonly scope: JsonObject;
  readonly metric: JsonObject;
  readonly sharedBytes: number;
}

/** Once true, the rest of the body is not read. */
export function isOversized(decoding: Decoding): boolean {
  return decoding.unitCount > MAX_ITEMS || decoding.sharedBytes > MAX_SHARED_BYTES;
}

/** Calls `take` for each element of a repeated member, with the walk at that element. */
export function forEachPart(
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

export function pushItem(decoding: Decoding, group: SharedParts, record: JsonObject, raw: unknown): void {
  const { resource, scope, metric } = group;
  const index = decoding.unitCount;
  decoding.unitCount += 1;
  decoding.pointers?.set(index, toPointer(decoding.walk.path));
  if (decoding.builds) decoding.items.push({ index, resource, scope, metric, record });
  else decoding.checked.push({ index, resource, raw });
}

/** Records the text problem of the current unit, if it has one. The parsed value of the unit is then not read. */
export function flagText(decoding: Decoding, raw: unknown): boolean {
  const { textProblems, walk } = decoding;
  if (textProblems.size === 0) return false;
  const unit = toPointer(walk.path);
  const problem = textProblems.get(unit);
  if (problem !== undefined) pushProblem(decoding, unit, problem, countOf(decoding, raw));
  return problem !== undefined;
}

/** Records the problem that the walk found in the current unit, and clears it for the next unit. */
export function flagShape(decoding: Decoding, badMember: string | undefined, raw: unknown): boolean {
  const { walk } = decoding;
  if (walk.problem === undefined && badMember === undefined) return false;
  const unit = toPointer(walk.path);
  const problem = walk.problem ?? { pointer: `${unit}/${badMember}`, reason: 'item_shape_invalid' };
  walk.problem = undefined;
  pushProblem(decoding, unit, problem, countOf(decoding, raw));
  return true;
}

/** The items of the part at which the walk is. */
function countOf({ signal, walk }: Decoding, raw: unknown): number {
  return countItems(signal, walk.path.length, raw);
}

function pushProblem(
  decoding: Decoding,
  unit_pointer: string,
  { pointer, reason }: JsonProblem,
  item_count: number,
): void {
  const index = decoding.unitCount;
  decoding.unitCount += 1;
  decoding.problems.push({ index, unit_pointer, pointer, reason, item_count });
}

/** Records a part that has members which are not read, and since `countBefore` no item that could carry them. */
export function flagUnread(
  decoding: Decoding,
  level: Level,
  countBefore: number,
  parts: readonly JsonValue[],
): void {
  if (decoding.unitCount !== countBefore) return;
  const unknown = unreadMembers(...parts);
  if (Object.keys(unknown).length > 0)
    pushUnread(decoding, toPointer(decoding.walk.path), { level, unknown });
}

export function pushUnread(
  decoding: Decoding,
  unit: string,
  part: Pick<UnreadPart, 'level' | 'unknown'>,
): void {
  const [name = ''] = Object.keys(part.unknown);
  const pointer = part.level === 'request' || name === PROTOBUF_FIELDS ? unit : unreadPointer(unit, name);
  decoding.unread.push({ ...part, pointer });
  pushProblem(decoding, unit, { pointer, reason: 'item_shape_invalid' }, 1);
}

/** The member in either spelling. */
export function memberOf(raw: unknown, name: string): unknown {
  return isMessage(raw) ? ownMember(raw, givenName(raw, name)) : undefined;
}

export interface GivenList {
  /** The name as the message spells it. */
  readonly given: string;
  readonly list: readonly unknown[] | undefined;
}

/** A repeated member as a list: absent or null is empty, anything but an array is undefined. */
export function listMember(raw: unknown, name: string): GivenList {
  const given = isMessage(raw) ? givenName(raw, name) : name;
  const value = (isMessage(raw) ? ownMember(raw, given) : undefined) ?? [];
  return { given, list: Array.isArray(value) ? value : undefined };
}
