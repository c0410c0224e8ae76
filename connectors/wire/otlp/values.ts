import { setMember, toHashable, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { toPointer } from '../../../schemas/json-pointer.ts';
import type { JsonProblem } from '../json/problems.ts';
import { MAX_JSON_DEPTH } from '../json/strict-json.ts';
import {
  OTLP_MESSAGES,
  type FieldSpec,
  type MessageName,
  type MessageSpec,
  type ScalarType,
} from './descriptor.ts';
import { isMessage, ownMember, type RawMessage } from './raw-message.ts';
import { normaliseScalar } from './scalars.ts';
import { isDefinedIn, mappedName } from './spelling.ts';
import { PROTOBUF_FIELDS } from './unread.ts';

/**
 * A walk over decoded messages: its place in the OTLP/JSON form of the body, and the first problem that it found
 * since `problem` was last cleared. One walk serves a whole body; every step leaves `path` as it found it.
 */
export interface MessageWalk {
  readonly path: (string | number)[];
  problem: JsonProblem | undefined;
  /**
   * Whether messages are brought into their normal form. If not, they are only checked, by the same rules, and their
   * objects and lists come out empty.
   */
  builds: boolean;
}

function fail(walk: MessageWalk, reason: JsonProblem['reason']): null {
  walk.problem ??= { pointer: toPointer(walk.path), reason };
  return null;
}

interface Field extends FieldSpec {
  readonly name: string;
  readonly isScalar: boolean;
}

/** The fields of each message in the order of the table, which is the order in which problems are looked for. */
const FIELDS: ReadonlyMap<string, readonly Field[]> = new Map(
  Object.entries(OTLP_MESSAGES).map(([message, spec]) => [message, toFields(spec)]),
);

function toFields(spec: MessageSpec): Field[] {
  return Object.entries(spec).map(([name, field]) => ({ ...field, name, isScalar: isScalar(field.type) }));
}

function isScalar(type: FieldSpec['type']): type is ScalarType {
  return !Object.hasOwn(OTLP_MESSAGES, type);
}

/**
 * One message in its normal form, the same for both encodings: members under their OTLP/JSON names, defaults left
 * out, attributes as an object, 64-bit integers as numbers where safe and else as decimal strings, other numbers by
 * `toHashable`, ids in lower hex, bytes in base64. Members outside the table are kept under `unknown`. `skip` names
 * members that the caller takes apart itself. JSON may spell a member as the protobuf definition does; a member in both
 * spellings is a repeated name.
 */
export function normaliseMessage(
  walk: MessageWalk,
  name: MessageName,
  raw: unknown,
  skip: readonly string[] = [],
): JsonObject {
  const normal: Record<string, JsonValue> = {};
  if (!isMessage(raw)) {
    fail(walk, 'item_shape_invalid');
    return normal;
  }
  let knownCount = 0;
  for (const field of FIELDS.get(name) ?? []) {
    if (!Object.hasOwn(raw, field.name)) continue;
    knownCount += 1;
    if (!skip.includes(field.name)) takeField(walk, { field, given: field.name }, raw[field.name], normal);
  }
  // Only members outside the table, and those in the other spelling, are left.
  if (Object.keys(raw).length !== knownCount) knownCount += takeRespelled(walk, { name, raw, skip }, normal);
  const unknown = walk.builds ? unknownMembers(raw, name, knownCount) : undefined;
  if (unknown !== undefined) normal['unknown'] = unknown;
  return normal;
}

interface MessageToRead {
  readonly name: MessageName;
  readonly raw: RawMessage;
  readonly skip: readonly string[];
}

/** Takes the members that are spelled as in the protobuf definition, and returns how many there are. */
function takeRespelled(
  walk: MessageWalk,
  { name, raw, skip }: MessageToRead,
  normal: Record<string, JsonValue>,
): number {
  let count = 0;
  for (const given of Object.keys(raw)) {
    const mapped = mappedName(given);
    const field = mapped === given ? undefined : FIELDS.get(name)?.find((one) => one.name === mapped);
    if (field === undefined) continue;
    count += 1;
    if (Object.hasOwn(raw, mapped)) failAt(walk, given, 'json_duplicate_key');
    else if (!skip.includes(mapped)) takeField(walk, { field, given }, raw[given], normal);
  }
  return count;
}

function failAt(walk: MessageWalk, name: string, reason: JsonProblem['reason']): void {
  walk.path.push(name);
  fail(walk, reason);
  walk.path.pop();
}

function takeField(
  walk: MessageWalk,
  { field, given }: { readonly field: Field; readonly given: string },
  value: unknown,
  normal: Record<string, JsonValue>,
): void {
  if (value === undefined || value === null) return;
  walk.path.push(given);
  const member = normaliseField(walk, field, value);
  walk.path.pop();
  if (walk.builds && (field.presence || !isDefault(member))) normal[field.name] = member;
}

function isDefault(value: JsonValue): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === 0 || value === '' || value === false;
}

function normaliseField(walk: MessageWalk, field: Field, value: unknown): JsonValue {
  if (walk.path.length >= MAX_JSON_DEPTH) return fail(walk, 'json_too_deep');
  if (!field.repeated) return normaliseOne(walk, field, value);
  if (!Array.isArray(value)) return fail(walk, 'item_shape_invalid');
  if (field.type === 'KeyValue') return normaliseAttributes(walk, value);
  return normaliseList(walk, value, (element) => normaliseOne(walk, field, element));
}

function normaliseList(
  walk: MessageWalk,
  elements: readonly unknown[],
  normalise: (element: unknown) => JsonValue,
): JsonValue[] {
  const list: JsonValue[] = [];
  for (let index = 0; index < elements.length; index += 1) {
    walk.path.push(index);
    const normal = normalise(elements[index]);
    walk.path.pop();
    if (walk.builds) list.push(normal);
  }
  return list;
}

function normaliseOne(walk: MessageWalk, field: Field, value: unknown): JsonValue {
  if (field.type === 'AnyValue') return normaliseAnyValue(walk, value);
  if (!field.isScalar) return normaliseMessage(walk, field.type as MessageName, value);
  return normaliseScalar(field.type as ScalarType, value) ?? fail(walk, 'item_shape_invalid');
}

/** Key-value pairs as an object; a key that comes twice would lose one of its values, so it is a problem. */
function normaliseAttributes(walk: MessageWalk, pairs: readonly unknown[]): JsonObject {
  const attributes: Record<string, JsonValue> = {};
  const names = new Set<string>();
  for (let index = 0; index < pairs.length; index += 1) {
    walk.path.push(index);
    const pair = pairs[index];
    const key = keyOf(walk, pair);
    if (key !== undefined) {
      const nameCount = names.size;
      if (names.add(key).size === nameCount) fail(walk, 'json_duplicate_key');
      const value = normalisePairValue(walk, pair as RawMessage);
      if (walk.builds) setMember(attributes, key, value);
    }
    walk.path.pop();
  }
  return attributes;
}

/** The attributes with these names, in their normal form, of a message that was found sound. */
export function attributesNamed(raw: unknown, names: readonly string[]): JsonObject {
  const attributes: Record<string, JsonValue> = {};
  const pairs = isMessage(raw) ? ownMember(raw, 'attributes') : undefined;
  if (!Array.isArray(pairs)) return attributes;
  for (const pair of pairs as readonly RawMessage[]) {
    const key = ownMember(pair, 'key');
    if (typeof key !== 'string' || !names.includes(key)) continue;
    attributes[key] = normalisePairValue({ path: [], problem: undefined, builds: true }, pair);
  }
  return attributes;
}

function keyOf(walk: MessageWalk, pair: unknown): string | undefined {
  if (walk.path.length >= MAX_JSON_DEPTH) fail(walk, 'json_too_deep');
  else if (!isMessage(pair)) fail(walk, 'item_shape_invalid');
  else {
    const key = ownMember(pair, 'key') ?? '';
    if (typeof key === 'string') return key;
    fail(walk, 'item_shape_invalid');
  }
  return undefined;
}

function normalisePairValue(walk: MessageWalk, pair: RawMessage): JsonValue {
  walk.path.push('value');
  const value = normaliseAnyValue(walk, ownMember(pair, 'value'));
  walk.path.pop();
  if (!walk.builds) return value;
  const knownCount = Number(Object.hasOwn(pair, 'key')) + Number(Object.hasOwn(pair, 'value'));
  return withUnknown(value, unknownMembers(pair, 'KeyValue', knownCount));
}

function normaliseAnyValue(walk: MessageWalk, raw: unknown): JsonValue {
  if (raw === undefined || raw === null) return null;
  if (walk.path.length >= MAX_JSON_DEPTH) return fail(walk, 'json_too_deep');
  if (!isMessage(raw)) return fail(walk, 'item_shape_invalid');
  const variant = variantOf(raw);
  if (variant === 'several') return fail(walk, 'item_shape_invalid');
  if (variant === 'repeated') return fail(walk, 'json_duplicate_key');
  const knownCount = variant === undefined ? 0 : 1;
  const unknown = walk.builds ? unknownMembers(raw, 'AnyValue', knownCount) : undefined;
  if (variant === undefined) return unknown === undefined ? null : { unknown };
  walk.path.push(variant);
  const value = normaliseVariant(walk, mappedName(variant), raw[variant]);
  walk.path.pop();
  return withUnknown(value, unknown);
}

/** Name of the one member that holds the value of an AnyValue, as it is spelled. */
function variantOf(raw: RawMessage): string | undefined {
  let variant: string | undefined;
  for (const name of Object.keys(raw)) {
    const mapped = mappedName(name);
    if (!Object.hasOwn(OTLP_MESSAGES.AnyValue, mapped)) continue;
    if (mapped !== name && Object.hasOwn(raw, mapped)) return 'repeated';
    if ((raw[name] ?? null) === null) continue;
    if (variant !== undefined) return 'several';
    variant = name;
  }
  return variant;
}

function normaliseVariant(walk: MessageWalk, member: string, raw: unknown): JsonValue {
  if (member === 'arrayValue' || member === 'kvlistValue') return normaliseNested(walk, member, raw);
  const type = OTLP_MESSAGES.AnyValue[member]?.type as ScalarType;
  return normaliseScalar(type, raw) ?? fail(walk, 'item_shape_invalid');
}

function normaliseNested(walk: MessageWalk, member: 'arrayValue' | 'kvlistValue', raw: unknown): JsonValue {
  if (walk.path.length >= MAX_JSON_DEPTH - 1) return fail(walk, 'json_too_deep');
  if (!isMessage(raw)) return fail(walk, 'item_shape_invalid');
  const values = ownMember(raw, 'values') ?? [];
  if (!Array.isArray(values)) return fail(walk, 'item_shape_invalid');
  walk.path.push('values');
  const normal =
    member === 'kvlistValue'
      ? normaliseAttributes(walk, values)
      : normaliseList(walk, values, (element) => normaliseAnyValue(walk, element));
  walk.path.pop();
  if (!walk.builds) return normal;
  return withUnknown(normal, unknownMembers(raw, 'ArrayValue', Number(Object.hasOwn(raw, 'values'))));
}

/** A bare value cannot carry members beside it, so one that has any is wrapped. */
function withUnknown(value: JsonValue, unknown: JsonObject | undefined): JsonValue {
  return unknown === undefined ? value : { value, unknown };
}

/** The members outside the table; `knownCount` is the number of members in the table. */
function unknownMembers(raw: RawMessage, message: MessageName, knownCount: number): JsonObject | undefined {
  const wire = ownMember(raw, '$unknowns');
  // Never empty: JSON may have a member of that name too, which is then one like any other.
  if (Array.isArray(wire) && wire.length > 0 && wire.every((field) => field instanceof Uint8Array)) {
    return { [PROTOBUF_FIELDS]: wire.map((field) => Buffer.from(field).toString('base64')) };
  }
  const names = Object.keys(raw);
  if (names.length === knownCount) return undefined;
  const unknown = names.filter((name) => !isDefinedIn(message, name));
  if (unknown.length === 0) return undefined;
  const members: Record<string, JsonValue> = {};
  // Only parsed JSON reaches this line: a decoded protobuf message has no members outside the table.
  for (const name of unknown) setMember(members, name, toHashable(raw[name] as JsonValue));
  return members;
}
