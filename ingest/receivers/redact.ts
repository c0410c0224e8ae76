import { isUtf8 } from 'node:buffer';
import { mayHoldSecret } from '../../connectors/detect/secrets.ts';
import type { OtlpSignal } from '../../connectors/wire/otlp/descriptor.ts';
import type { EnvelopeHeader, EnvelopeRedaction, EnvelopeSource } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Reading, Received } from './reading.ts';
import { redactForm } from './redact-form.ts';
import { redactJson } from './redact-json.ts';
import { redactProtobuf } from './redact-protobuf.ts';
import { createMarks, type Fingerprint } from './redact-text.ts';

/** A body of which it is not known yet whether it holds secrets. */
export interface BodyToRedact extends Pick<EnvelopeHeader, 'source' | 'content_type'> {
  readonly body: Buffer;
}

export interface Redacted {
  readonly body: Buffer;
  readonly redacted: EnvelopeRedaction;
}

/**
 * The body with a mark in the place of each secret, or undefined where it holds none and stays what it is, byte for
 * byte. Only strings with a secret change; of protobuf also the lengths of what is around them.
 *
 * Throws BODY_MALFORMED where a secret stands in a place that cannot be written anew, so that it is never stored.
 */
export function redactBody(
  { source, content_type, body }: BodyToRedact,
  fingerprint: Fingerprint,
): Redacted | undefined {
  // A form hides what it holds behind escapes of its own.
  const isForm = content_type === 'application/x-www-form-urlencoded';
  if (!isForm && !mayHoldSecret(body)) return undefined;
  const marks = createMarks(fingerprint);
  const changed = rewrite({ source, content_type, body }, marks);
  if (changed === undefined || marks.count() === 0) return undefined;
  return { body: changed, redacted: { count: marks.count(), types: marks.types() } };
}

function rewrite(
  { source, content_type, body }: BodyToRedact,
  marks: ReturnType<typeof createMarks>,
): Buffer | undefined {
  if (content_type === 'application/x-protobuf') return redactProtobuf(signalOf(source), body, marks);
  if (!isUtf8(body)) throw new PipelineError('BODY_MALFORMED', 'the body is not valid UTF-8');
  return content_type === 'application/x-www-form-urlencoded'
    ? redactForm(body, marks)
    : redactJson(body, marks);
}

function signalOf(source: EnvelopeSource): OtlpSignal {
  switch (source) {
    case 'otlp-metrics':
      return 'metrics';
    case 'otlp-traces':
      return 'traces';
    default:
      return 'logs';
  }
}

export interface ReadRedacted {
  /** The client's own bytes, or what is left of them. */
  readonly body: Buffer;
  readonly received: Received;
  /** To be added to the envelope's header. */
  readonly mark: { readonly redacted?: EnvelopeRedaction };
}

/**
 * Reads a body as its route does and takes the secrets out. A body that had any is read again, because places and
 * verdicts are those of what is kept.
 */
export function readWithoutSecrets(
  read: (reading: Reading) => Received,
  reading: Reading,
  { source, fingerprint }: { readonly source: EnvelopeSource; readonly fingerprint: Fingerprint },
): ReadRedacted {
  const { body, contentType } = reading;
  const received = read(reading);
  const without = redactBody({ source, content_type: contentType, body }, fingerprint);
  if (without === undefined) return { body, received, mark: {} };
  const { redacted } = without;
  return { body: without.body, received: read({ ...reading, body: without.body }), mark: { redacted } };
}

/** What a header says, without secrets. */
export function redactHeader<Value extends string | null>(
  value: Value,
  fingerprint: Fingerprint,
): Value | string {
  return value === null ? value : (createMarks(fingerprint).redact(value) ?? value);
}
