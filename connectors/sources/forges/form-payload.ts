/** Webhooks as HTML forms: one field, `payload`, that holds the JSON text. */
import { PipelineError } from '../../../schemas/errors.ts';
import type { Payload } from '../../drafts/item-source.ts';

const FIELD = Buffer.from('payload=');
const PLUS = 0x2b;
const PERCENT = 0x25;
const AMPERSAND = 0x26;
const SPACE = 0x20;

/**
 * The JSON bytes of a body that is JSON or such a form. Throws BODY_MALFORMED for a form with another field or with a
 * broken escape: nothing is guessed.
 */
export function toJsonPayload(sent: Payload): Payload {
  const { content_type, body } = sent;
  if (content_type !== 'application/x-www-form-urlencoded') return sent;
  if (!FIELD.equals(body.subarray(0, FIELD.length)) || body.includes(AMPERSAND)) {
    throw new PipelineError('BODY_MALFORMED', 'a form has one field, payload', { place: 'byte 0' });
  }
  return { content_type: 'application/json', body: unescape(body.subarray(FIELD.length)) };
}

function unescape(text: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at] ?? 0;
    if (byte === PERCENT) {
      bytes[length++] = hexAt(text, at + 1);
      at += 2;
    } else bytes[length++] = byte === PLUS ? SPACE : byte;
  }
  return bytes.subarray(0, length);
}

function hexAt(text: Uint8Array, at: number): number {
  const digits = String.fromCharCode(...text.subarray(at, at + 2));
  if (/^[0-9A-Fa-f]{2}$/.test(digits)) return Number.parseInt(digits, 16);
  throw new PipelineError('BODY_MALFORMED', 'an escape of the form has no two hex digits', {
    place: `byte ${String(at + FIELD.length - 1)}`,
  });
}
