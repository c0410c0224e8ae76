import { toHashable, type JsonValue } from '../../../schemas/json.ts';
import { isExactNumber } from '../json/numbers.ts';
import type { ScalarType } from './descriptor.ts';
import { isMessage, type RawMessage } from './raw-message.ts';

type IntegerType = Exclude<ScalarType, 'string' | 'bool' | 'double' | 'bytes' | 'hex'>;

interface IntegerRange {
  readonly least: bigint;
  readonly most: bigint;
  /** The same bounds as doubles, which are exact enough to judge safe integers. */
  readonly near: readonly [number, number];
}

const INT32 = toRange(-(2n ** 31n), 2n ** 31n - 1n);
const INT64 = toRange(-(2n ** 63n), 2n ** 63n - 1n);
const UINT32 = toRange(0n, 2n ** 32n - 1n);
const UINT64 = toRange(0n, 2n ** 64n - 1n);

const INTEGER_RANGES: Readonly<Record<IntegerType, IntegerRange>> = {
  int32: INT32,
  sint32: INT32,
  uint32: UINT32,
  fixed32: UINT32,
  int64: INT64,
  sfixed64: INT64,
  uint64: UINT64,
  fixed64: UINT64,
};

function toRange(least: bigint, most: bigint): IntegerRange {
  return { least, most, near: [Number(least), Number(most)] };
}

/** The scalar in its normal form, undefined if the wire form does not fit the type. */
export function normaliseScalar(type: ScalarType, raw: unknown): JsonValue | undefined {
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

/** Accepts either alphabet, with or without padding. Text with characters that decoding would skip is not base64. */
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
function normaliseInteger(raw: unknown, { least, most, near }: IntegerRange): number | string | undefined {
  const text = integerText(raw);
  if (text === undefined || !/^-?[0-9]{1,20}$/.test(text)) return undefined;
  const number = Number(text);
  // Adding zero makes zero of the negative zero that '-0' becomes.
  if (Number.isSafeInteger(number)) return number >= near[0] && number <= near[1] ? number + 0 : undefined;
  const value = BigInt(text);
  return value < least || value > most ? undefined : value.toString();
}

function integerText(raw: unknown): string | undefined {
  if (typeof raw === 'string') return raw;
  if (typeof raw === 'number') return Number.isInteger(raw) ? String(raw) : undefined;
  return isMessage(raw) ? longText(raw) : undefined;
}

/** Text of a Long, the two-word integer of the protobuf reader; some older JSON exporters write its words as well. */
function longText({ low, high, unsigned }: RawMessage): string | undefined {
  if (typeof low !== 'number' || typeof high !== 'number' || typeof unsigned !== 'boolean') return undefined;
  if ((low | 0) !== low || (high | 0) !== high) return undefined;
  const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  return (unsigned ? bits : BigInt.asIntN(64, bits)).toString();
}
