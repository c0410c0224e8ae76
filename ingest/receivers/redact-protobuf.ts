import { isUtf8 } from 'node:buffer';
import {
  OTLP_MESSAGES,
  OTLP_SIGNALS,
  type FieldSpec,
  type MessageName,
  type OtlpSignal,
} from '../../connectors/wire/otlp/descriptor.ts';
import {
  createFieldWalk,
  fieldHeader,
  type WalkFields,
  type WireField,
} from '../../connectors/wire/otlp/wire-fields.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { redactText } from './redact-json.ts';
import type { Marks } from './redact-text.ts';

const START_GROUP = 3;

interface Redaction {
  readonly bytes: Buffer;
  readonly walk: WalkFields;
  readonly marks: Marks;
}

/** From the first byte of a message to the one behind its last. */
interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Redacts an OTLP request that the reader of messages has accepted: texts with a secret are rewritten, and so are the
 * lengths of the fields around them. Undefined if nothing changes. Throws BODY_MALFORMED for a secret in a protobuf
 * group, which OTLP does not use.
 */
export function redactProtobuf(signal: OtlpSignal, bytes: Buffer, marks: Marks): Buffer | undefined {
  const redaction = { bytes, walk: createFieldWalk(bytes), marks };
  return redactMessage(redaction, OTLP_SIGNALS[signal].request, { from: 0, to: bytes.length }, '');
}

/** `name` is the name of the value that this message is, or is part of. */
function redactMessage(
  redaction: Redaction,
  message: MessageName,
  { from, to }: ByteRange,
  name: string,
): Buffer | undefined {
  const { bytes } = redaction;
  const own = message === 'KeyValue' ? keyOf(redaction, { from, to }) : name;
  const chunks: Uint8Array[] = [];
  // Fields that stay are copied together, up to the next one that changes.
  let keptFrom = from;
  for (const field of fieldsOf(redaction, { from, to })) {
    const payload = redactField(redaction, message, field, own);
    if (payload === undefined) continue;
    chunks.push(bytes.subarray(keptFrom, field.from), fieldHeader(field.id, payload.length), payload);
    keptFrom = field.to;
  }
  return chunks.length === 0 ? undefined : Buffer.concat([...chunks, bytes.subarray(keptFrom, to)]);
}

function fieldsOf({ walk }: Redaction, { from, to }: ByteRange): WireField[] {
  const fields: WireField[] = [];
  walk(from, to, (field) => {
    fields.push(field);
    return undefined;
  });
  return fields;
}

function redactField(
  redaction: Redaction,
  message: MessageName,
  field: WireField,
  name: string,
): Buffer | undefined {
  const { bytes, marks } = redaction;
  const { id, payloadAt, from, to } = field;
  if (payloadAt === undefined) {
    const isGroup = ((bytes[from] ?? 0) & 7) === START_GROUP;
    if (isGroup && marks.redact(bytes.toString('latin1', from, to)) !== undefined) {
      throw new PipelineError('BODY_MALFORMED', 'a group of the message may hold a secret');
    }
    return undefined;
  }
  const spec = FIELDS.get(message)?.get(id);
  if (spec !== undefined && isMessage(spec.type)) {
    return redactMessage(redaction, spec.type, { from: payloadAt, to }, name);
  }
  // A key is the name of a value, so it has no name that could make it a secret.
  const own = message === 'KeyValue' && id === KEY_ID ? '' : name;
  if (spec?.type === 'string') return redactUtf8(bytes.subarray(payloadAt, to), marks, own);
  return redactOpaque(bytes.subarray(payloadAt, to), marks, name);
}

function redactUtf8(payload: Buffer, marks: Marks, name: string): Buffer | undefined {
  const redacted = redactText(payload.toString('utf8'), marks, name);
  return redacted === undefined ? undefined : Buffer.from(redacted);
}

/**
 * Redacts bytes, or a field that this version does not know. Text is redacted as text. Other bytes with a secret are
 * replaced by the marks alone.
 */
function redactOpaque(payload: Buffer, marks: Marks, name: string): Buffer | undefined {
  const isText = isUtf8(payload) && !payload.some((byte) => byte < 0x20 && !WHITE_SPACE.has(byte));
  if (isText) return redactUtf8(payload, marks, name);
  const redacted = marks.redact(payload.toString('latin1'), name);
  return redacted === undefined ? undefined : Buffer.from((redacted.match(MARK) ?? []).join(' '));
}
const WHITE_SPACE = new Set([0x09, 0x0a, 0x0d]);
const MARK = /\[secret:[a-z_]{1,32}:[0-9a-f]{16}\]/g;

const KEY_ID = OTLP_MESSAGES.KeyValue['key']?.id;

/** If a field comes twice, the last one counts. */
function keyOf({ bytes, walk }: Redaction, { from, to }: ByteRange): string {
  let key = '';
  walk(from, to, (field) => {
    if (field.id === KEY_ID && field.payloadAt !== undefined) {
      key = bytes.toString('utf8', field.payloadAt, field.to);
    }
    return undefined;
  });
  return key;
}

const FIELDS: ReadonlyMap<MessageName, ReadonlyMap<number, FieldSpec>> = new Map(
  Object.entries(OTLP_MESSAGES).map(([message, fields]) => [
    message as MessageName,
    new Map(Object.values(fields).map((field) => [field.id, field])),
  ]),
);

function isMessage(type: FieldSpec['type']): type is MessageName {
  return Object.hasOwn(OTLP_MESSAGES, type);
}
