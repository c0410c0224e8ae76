import { encodeProtobuf } from '../../../../connectors/wire/otlp/protobuf.ts';
import type { OtlpSignal } from '../../../../connectors/wire/otlp/descriptor.ts';
import type { JsonObject, JsonValue } from '../../../../schemas/json.ts';
import { isJsonObject } from '../../../../schemas/json.ts';

/** An OTLP/JSON request in protobuf: ids become bytes from hex, byte values from base64, all else stays as it is. */
export function toProtobuf(signal: OtlpSignal, request: JsonObject): Uint8Array {
  return encodeProtobuf(signal, toWire(request) as object);
}

function toWire(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(toWire);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, toWireMember(name, member)]),
  );
}

function toWireMember(name: string, member: JsonValue): unknown {
  if (typeof member !== 'string') return toWire(member);
  if (/^(?:traceId|spanId|parentSpanId)$/.test(name)) return Buffer.from(member, 'hex');
  if (name === 'bytesValue') return Buffer.from(member, 'base64');
  return member === 'NaN' ? Number.NaN : member;
}
