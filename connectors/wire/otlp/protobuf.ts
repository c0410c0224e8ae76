import protobuf from 'protobufjs';
import { PipelineError } from '../../../schemas/errors.ts';
import {
  OTLP_MESSAGES,
  OTLP_SIGNALS,
  type FieldSpec,
  type MessageSpec,
  type OtlpSignal,
} from './descriptor.ts';

/**
 * Every field has explicit presence, so that a zero in a oneof differs from absence, and strings are checked to be
 * UTF-8. Both are rules of the 2023 edition, which the library reads from each message, not from the root.
 */
const OTLP_ROOT = protobuf.Root.fromJSON({
  nested: Object.fromEntries(
    Object.entries(OTLP_MESSAGES).map(([name, spec]) => [name, toProtobufMessage(spec)]),
  ),
});

function toProtobufMessage(spec: MessageSpec): protobuf.IType {
  return { edition: '2023', fields: toProtobufFields(spec) };
}

function toProtobufFields(spec: MessageSpec): Record<string, protobuf.IField> {
  return Object.fromEntries(Object.entries(spec).map(([name, field]) => [name, toProtobufField(field)]));
}

function toProtobufField(field: FieldSpec): protobuf.IField {
  const type = field.type === 'hex' ? 'bytes' : field.type;
  return { type, id: field.id, ...(field.repeated ? { rule: 'repeated' } : {}) };
}

/**
 * Decodes an OTLP export request. Members carry the OTLP/JSON names; 64-bit integers are Long objects, bytes are
 * buffers; fields that this version does not know are raw bytes under `$unknowns`.
 *
 * Throws BODY_MALFORMED with the byte offset for anything that is not such a message, nesting beyond 100 included.
 */
export function decodeProtobuf(signal: OtlpSignal, bytes: Uint8Array): object {
  const reader = protobuf.Reader.create(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  reader.discardUnknown = false;
  try {
    return requestType(signal).decode(reader);
  } catch (cause) {
    const place = `byte ${reader.pos}`;
    throw new PipelineError('BODY_MALFORMED', 'the body is not an OTLP message in protobuf', {
      place,
      cause,
    });
  }
}

/** Encodes a request as `decodeProtobuf` yields it, unknown fields included. */
export function encodeProtobuf(signal: OtlpSignal, request: object): Uint8Array {
  return requestType(signal).encode(request).finish();
}

function requestType(signal: OtlpSignal): protobuf.Type {
  return OTLP_ROOT.lookupType(OTLP_SIGNALS[signal].request);
}
