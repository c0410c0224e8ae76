import { OTLP_SIGNALS, type OtlpSignal } from './descriptor.ts';
import { encodeProtobuf } from './protobuf.ts';
import { PROTOBUF_FIELDS, unreadPointer } from './unread.ts';

type Message = Readonly<Record<string, unknown>>;

/**
 * A request that holds only the part at `pointer` and the resource, scope and metric around it, encoded again. It
 * decodes by itself, and is small enough to keep once for each quarantined item. Undefined if the pointer leads to no
 * part.
 */
export function cutRequest(signal: OtlpSignal, request: object, pointer: string): Uint8Array | undefined {
  const part = keepOnly(request as Message, pointer.split('/').slice(1));
  return part === undefined || pointer === '' ? undefined : encodeWhole(signal, part);
}

/** The unknown fields of a request as they came, for the pointer that stands for them; undefined for any other. */
export function cutUnknownFields(request: object, pointer: string): Uint8Array | undefined {
  const fields = (request as Message)['$unknowns'];
  return pointer === UNKNOWN_FIELDS && Array.isArray(fields)
    ? Buffer.concat(fields as Uint8Array[])
    : undefined;
}

const UNKNOWN_FIELDS = unreadPointer('', PROTOBUF_FIELDS);

function encodeWhole(signal: OtlpSignal, part: Message): Uint8Array | undefined {
  return Object.hasOwn(part, OTLP_SIGNALS[signal].resourceGroups) ? encodeProtobuf(signal, part) : undefined;
}

/** Copies a message with the repeated member on the path reduced to the one element that the path names. */
function keepOnly(message: Message, segments: readonly string[]): Message | undefined {
  const [name, next, ...rest] = segments;
  if (name === undefined) return message;
  const member = message[name];
  if (Array.isArray(member)) {
    const list: readonly unknown[] = member;
    const element = list[Number(next)];
    const kept = isMessage(element) ? keepOnly(element, rest) : undefined;
    return kept === undefined ? undefined : withMember(message, name, [kept]);
  }
  const kept = isMessage(member) ? keepOnly(member, next === undefined ? [] : [next, ...rest]) : undefined;
  return kept === undefined ? undefined : withMember(message, name, kept);
}

/** Unknown fields are not enumerable in a decoded message, so a spread alone would lose them. */
function withMember(message: Message, name: string, value: unknown): Message {
  const copy: Record<string, unknown> = { ...message, [name]: value };
  if (Object.hasOwn(message, '$unknowns')) copy['$unknowns'] = message['$unknowns'];
  return copy;
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null;
}
