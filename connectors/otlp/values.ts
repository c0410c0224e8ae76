import { isJsonObject, toHashable, type JsonObject, type JsonValue } from '../../schemas/json.ts';
import { MAX_JSON_DEPTH, type JsonProblem } from '../json/strict-json.ts';
import { isExactNumber } from '../json/tokens.ts';
import { OTLP_MESSAGES, type FieldSpec, type MessageName, type ScalarType } from './descriptor.ts';

/** Where a normalisation stands in the OTLP/JSON form of the body, and the first thing that was wrong below. */
export interface Walk {
  readonly path: (string | number)[];
  problem: JsonProblem | undefined;
}

/** A JSON pointer from its segments (RFC 6901). */
export function toPointer(path: readonly (string | number)[]): string {
  return path.map((segment) => `/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function fail(walk: Walk, reason: JsonProblem['reason']): null {
  walk.problem ??= { pointer: toPointer(walk.path), reason };
  return null;
}

/** Runs a step one segment further down, so that a problem names its own place. */
function at<Result>(walk: Walk, segment: string | number, step: () => Result): Result {
  walk.path.push(segment);
  const result = step();
  walk.path.pop();
  return result;
}

/**
 * One message in its normal form, the same for both encodings: members under their OTLP/JSON names, defaults left
 * out, attributes as an object, 64-bit integers as numbers where safe and else as decimal strings, other numbers by
 * `toHashable`, ids in lower hex, bytes in base64. Members outside the table stand under `unknown`. `skip` names
 * members that the caller takes apart itself.
 */
export function normaliseMessage(
  walk: Walk,
  name: MessageName,
  raw: unknown,
  skip: readonly string[] = [],
): JsonObject {
  if (!isMembers(raw)) {
    fail(walk, 'item_shape_invalid');
    return {};
  }
  const spec = OTLP_MESSAGES[name];
  const members: [string, JsonValue][] = [];
  for (const [member, field] of Object.entries(spec)) {
    const value = ownMember(raw, member);
    if (value === undefined || value === null || skip.includes(member)) continue;
    const normal = at(walk, member, () => normaliseField(walk, field, value));
    if (field.presence || !isDefault(normal)) members.push([member, normal]);
  }
  const unknown = unknownMembers(raw, spec);
  if (unknown !== undefined) members.push(['unknown', unknown]);
  return Object.fromEntries(members);
}

function isDefault(value: JsonValue): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isJsonObject(value)) return Object.keys(value).length === 0;
  return value === 0 || value === '' || value === false;
}

function normaliseField(walk: Walk, field: FieldSpec, value: unknown): JsonValue {
  if (walk.path.length >= MAX_JSON_DEPTH) return fail(walk, 'json_too_deep');
  if (!field.repeated) return normaliseOne(walk, field, value);
  if (!Array.isArray(value)) return fail(walk, 'item_shape_invalid');
  if (field.type === 'KeyValue') return normaliseAttributes(walk, value);
  return value.map((element, index) => at(walk, index, () => normaliseOne(walk, field, element)));
}

function normaliseOne(walk: Walk, field: FieldSpec, value: unknown): JsonValue {
  if (field.type === 'AnyValue') return normaliseAnyValue(walk, value);
  if (isScalar(field.type)) return normaliseScalar(field.type, value) ?? fail(walk, 'item_shape_invalid');
  return normaliseMessage(walk, field.type, value);
}

/** Key-value pairs as an object; a key that comes twice would lose one of its values, so it is a problem. */
function normaliseAttributes(walk: Walk, pairs: readonly unknown[]): JsonObject {
  const names = new Set<string>();
  const members = pairs.map((pair, index) =>
    at(walk, index, (): [string, JsonValue] => {
      if (walk.path.length >= MAX_JSON_DEPTH) return ['', fail(walk, 'json_too_deep')];
      if (!isMembers(pair)) return ['', fail(walk, 'item_shape_invalid')];
      const key = ownMember(pair, 'key') ?? '';
      if (typeof key !== 'string') return ['', fail(walk, 'item_shape_invalid')];
      if (names.has(key)) fail(walk, 'json_duplicate_key');
      names.add(key);
      const value = at(walk, 'value', () => normaliseAnyValue(walk, ownMember(pair, 'value')));
      return [key, withUnknown(value, unknownMembers(pair, OTLP_MESSAGES.KeyValue))];
    }),
  );
  return Object.fromEntries(members);
}

function normaliseAnyValue(walk: Walk, raw: unknown): JsonValue {
  if (raw === undefined || raw === null) return null;
  if (walk.path.length >= MAX_JSON_DEPTH) return fail(walk, 'json_too_deep');
  if (!isMembers(raw)) return fail(walk, 'item_shape_invalid');
  const spec = OTLP_MESSAGES.AnyValue;
  const present = Object.keys(raw).filter(
    (name) => Object.hasOwn(spec, name) && (raw[name] ?? null) !== null,
  );
  const unknown = unknownMembers(raw, spec);
  const [member] = present;
  if (present.length > 1) return fail(walk, 'item_shape_invalid');
  if (member === undefined) return unknown === undefined ? null : { unknown };
  const value = at(walk, member, () => normaliseVariant(walk, member, ownMember(raw, member)));
  return withUnknown(value, unknown);
}

function normaliseVariant(walk: Walk, member: string, raw: unknown): JsonValue {
  if (member === 'arrayValue' || member === 'kvlistValue') {
    if (walk.path.length >= MAX_JSON_DEPTH - 1) return fail(walk, 'json_too_deep');
    if (!isMembers(raw)) return fail(walk, 'item_shape_invalid');
    const values = ownMember(raw, 'values') ?? [];
    if (!Array.isArray(values)) return fail(walk, 'item_shape_invalid');
    const list: readonly unknown[] = values;
    const unknown = unknownMembers(raw, OTLP_MESSAGES.ArrayValue);
    const normal = at(walk, 'values', () =>
      member === 'kvlistValue'
        ? normaliseAttributes(walk, list)
        : list.map((element, index) => at(walk, index, () => normaliseAnyValue(walk, element))),
    );
    return withUnknown(normal, unknown);
  }
  const type = OTLP_MESSAGES.AnyValue[member]?.type;
  const value = type !== undefined && isScalar(type) ? normaliseScalar(type, raw) : undefined;
  return value ?? fail(walk, 'item_shape_invalid');
}

/** A bare value cannot carry members beside it, so one that has any is wrapped. */
function withUnknown(value: JsonValue, unknown: JsonObject | undefined): JsonValue {
  return unknown === undefined ? value : { value, unknown };
}

function isScalar(type: FieldSpec['type']): type is ScalarType {
  return !Object.hasOwn(OTLP_MESSAGES, type);
}

type Members = Readonly<Record<string, unknown>>;

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Decoded protobuf messages inherit defaults from their prototype; only what was on the wire counts. */
export function ownMember(raw: Members, name: string): unknown {
  return Object.hasOwn(raw, name) ? raw[name] : undefined;
}

function unknownMembers(raw: Members, spec: Readonly<Record<string, FieldSpec>>): JsonObject | undefined {
  const wire = ownMember(raw, '$unknowns');
  if (Array.isArray(wire) && wire.every((field) => field instanceof Uint8Array)) {
    return { protobuf_fields: wire.map((field) => Buffer.from(field).toString('base64')) };
  }
  let names: string[] | undefined;
  for (const name of Object.keys(raw)) {
    if (!Object.hasOwn(spec, name)) (names ??= []).push(name);
  }
  // Only parsed JSON reaches this line: a decoded protobuf message has no members outside the table.
  return names && Object.fromEntries(names.map((name) => [name, toHashable(raw[name] as JsonValue)]));
}

type IntegerType = Exclude<ScalarType, 'string' | 'bool' | 'double' | 'bytes' | 'hex'>;

const INT32 = [-(2n ** 31n), 2n ** 31n - 1n] as const;
const INT64 = [-(2n ** 63n), 2n ** 63n - 1n] as const;
const UINT32 = [0n, 2n ** 32n - 1n] as const;
const UINT64 = [0n, 2n ** 64n - 1n] as const;

const INTEGER_RANGES: Readonly<Record<IntegerType, readonly [bigint, bigint]>> = {
  int32: INT32,
  sint32: INT32,
  uint32: UINT32,
  fixed32: UINT32,
  int64: INT64,
  sfixed64: INT64,
  uint64: UINT64,
  fixed64: UINT64,
};

/** The scalar in its normal form, undefined if the wire form does not fit the type. */
function normaliseScalar(type: ScalarType, raw: unknown): JsonValue | undefined {
  switch (type) {
    case 'string':
      return typeof raw === 'string' ? raw : undefined;
    case 'bool':
      return typeof raw === 'boolean' ? raw : undefined;
    case 'double':
      return normaliseDouble(raw);
    case 'bytes':
      return raw instanceof Uint8Array ? encodeBytes(raw, 'base64') : normaliseBase64(raw);
    case 'hex':
      return normaliseHex(raw instanceof Uint8Array ? encodeBytes(raw, 'hex') : raw);
    default:
      return normaliseInteger(raw, INTEGER_RANGES[type]);
  }
}

function normaliseDouble(raw: unknown): JsonValue | undefined {
  if (typeof raw === 'number') return toHashable(raw === 0 ? 0 : raw);
  if (raw === 'NaN' || raw === 'Infinity' || raw === '-Infinity') return raw;
  // The JSON mapping of protobuf lets numbers travel as text.
  const isNumber =
    typeof raw === 'string' && /^-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:e[+-]?[0-9]{1,3})?$/i.test(raw);
  return isNumber && isExactNumber(raw) ? normaliseDouble(Number(raw)) : undefined;
}

function encodeBytes(raw: Uint8Array, encoding: 'hex' | 'base64'): string {
  return Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString(encoding);
}

/** Either alphabet, with or without padding; what decoding would skip over is not base64. */
function normaliseBase64(raw: unknown): string | undefined {
  if (typeof raw !== 'string') return undefined;
  const normal = encodeBytes(Buffer.from(raw, 'base64'), 'base64');
  const given = raw.replaceAll('-', '+').replaceAll('_', '/');
  return given === normal || given === normal.replaceAll('=', '') ? normal : undefined;
}

/** Ids have 16 or 32 digits; twice that leaves room, and keeps what becomes a fact small. */
function normaliseHex(raw: unknown): string | undefined {
  if (typeof raw !== 'string' || raw.length > 64) return undefined;
  const normal = encodeBytes(Buffer.from(raw, 'hex'), 'hex');
  return normal === raw.toLowerCase() ? normal : undefined;
}

/** JSON has integers as number or decimal string, protobuf as number or Long; all end as the same value. */
function normaliseInteger(
  raw: unknown,
  [least, most]: readonly [bigint, bigint],
): number | string | undefined {
  const text = integerText(raw);
  if (text === undefined || !/^-?[0-9]{1,20}$/.test(text)) return undefined;
  const value = BigInt(text);
  if (value < least || value > most) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function integerText(raw: unknown): string | undefined {
  if (typeof raw === 'string') return raw;
  if (typeof raw === 'number') return Number.isInteger(raw) ? String(raw) : undefined;
  return isMembers(raw) ? longText(raw) : undefined;
}

/** Text of a Long, the two-word integer of the protobuf reader; some older JSON exporters write its words as well. */
function longText({ low, high, unsigned }: Members): string | undefined {
  if (typeof low !== 'number' || typeof high !== 'number' || typeof unsigned !== 'boolean') return undefined;
  if ((low | 0) !== low || (high | 0) !== high) return undefined;
  const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  return (unsigned ? bits : BigInt.asIntN(64, bits)).toString();
}
