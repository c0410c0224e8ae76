import { isUtf8 } from 'node:buffer';
import { mayHoldSecret } from '../../connectors/detect/secrets.ts';
import type { ReadBody, Source } from '../../connectors/drafts/source.ts';
import { toBuffer } from '../../connectors/wire/body.ts';
import type { OtlpSignal } from '../../connectors/wire/otlp/descriptor.ts';
import type { Envelope, EnvelopeRedaction } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { redactForm } from './redact-form.ts';
import { redactJson } from './redact-json.ts';
import { redactProtobuf } from './redact-protobuf.ts';
import { createMarks, type Fingerprint } from './redact-text.ts';

const FORM = 'application/x-www-form-urlencoded';
const PROTOBUF = 'application/x-protobuf';

/** A body that may hold secrets. */
export interface BodyToRedact extends Pick<Envelope, 'content_type'> {
  readonly body: Buffer;
  /** Of a body in protobuf. @default logs */
  readonly otlp?: OtlpSignal | undefined;
}

export interface Redacted {
  readonly body: Buffer;
  readonly redacted: EnvelopeRedaction;
}

/**
 * The body with marks instead of secrets, or undefined if it holds no secret. Only strings with a secret change; in
 * protobuf also the lengths of the fields around them.
 *
 * Throws BODY_MALFORMED where a secret cannot be replaced, so that it is never stored.
 */
export function redactBody(body: BodyToRedact, fingerprint: Fingerprint): Redacted | undefined {
  return mayNeedRedaction(body) ? replaceSecrets(body, fingerprint) : undefined;
}

function replaceSecrets(
  { otlp = 'logs', content_type, body }: BodyToRedact,
  fingerprint: Fingerprint,
): Redacted | undefined {
  const marks = createMarks(fingerprint);
  let changed: Buffer | undefined;
  if (content_type === PROTOBUF) changed = redactProtobuf(otlp, body, marks);
  else if (!isUtf8(body)) throw new PipelineError('BODY_MALFORMED', 'the body is not valid UTF-8');
  else changed = content_type === FORM ? redactForm(body, marks) : redactJson(body, marks);
  if (changed === undefined || marks.count() === 0) return undefined;
  return { body: changed, redacted: { count: marks.count(), types: marks.types() } };
}

/** A quick look at the bytes. A form may hide a secret behind escapes, so its bytes do not show whether it holds one. */
function mayNeedRedaction({ content_type, body }: Pick<BodyToRedact, 'content_type' | 'body'>): boolean {
  return content_type === FORM || mayHoldSecret(body);
}

export interface ReadRedacted {
  /** The client's own bytes, or the same with marks. */
  readonly body: Buffer;
  readonly read: ReadBody;
  /** Goes into the envelope's header where the body holds marks. */
  readonly mark: EnvelopeRedaction | undefined;
}

/**
 * Takes the secrets out of a body and reads it as its source does: places and verdicts are those of the kept bytes.
 * JSON is redacted first and then read once. Protobuf is read first, because its redaction walks only over fields that
 * the reader of messages has accepted, and read again where it held a secret.
 *
 * Throws the errors of the source, with places in the client's own bytes.
 */
export function readWithoutSecrets(
  source: Source,
  envelope: Envelope,
  fingerprint: Fingerprint,
): ReadRedacted {
  const { content_type } = envelope;
  const body = toBuffer(envelope.body);
  if (!mayNeedRedaction({ content_type, body })) {
    return { body, read: source.read(envelope), mark: undefined };
  }
  const accepted = content_type === PROTOBUF ? source.read(envelope) : undefined;
  try {
    const without = replaceSecrets({ otlp: source.otlp, content_type, body }, fingerprint);
    if (without === undefined) return { body, read: accepted ?? source.read(envelope), mark: undefined };
    const read = source.read({ ...envelope, body: without.body });
    return { body: without.body, read, mark: without.redacted };
  } catch (error) {
    // A body that its source refuses is refused for that reason, at the place where the client wrote it.
    source.read(envelope);
    throw error;
  }
}

/** A header without secrets. */
export function redactHeader<Value extends string | null | undefined>(
  value: Value,
  fingerprint: Fingerprint,
): Value | string {
  return typeof value === 'string' ? (createMarks(fingerprint).redact(value) ?? value) : value;
}
