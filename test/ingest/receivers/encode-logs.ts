import { encodeProtobuf } from '../../../connectors/wire/otlp/protobuf.ts';

type Value = string | readonly string[];

/** An OTLP logs request in protobuf with one record, whose attributes these are. */
export function encodeLogs(attributes: Readonly<Record<string, Value>>): Buffer {
  const pairs = Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
  const request = { resourceLogs: [{ scopeLogs: [{ logRecords: [{ attributes: pairs }] }] }] };
  return Buffer.from(encodeProtobuf('logs', request));
}

function anyValue(value: Value): object {
  return typeof value === 'string'
    ? { stringValue: value }
    : { arrayValue: { values: value.map((stringValue) => ({ stringValue })) } };
}
