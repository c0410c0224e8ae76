import { PipelineError } from '../../schemas/errors.ts';
import { redactJsonText, redactText } from './redact-json.ts';
import type { Marks } from './redact-text.ts';

/**
 * Redacts a form (WHATWG URL standard, application/x-www-form-urlencoded). A field that holds JSON is redacted as
 * such. Fields without a secret keep their bytes. Undefined if no field has a secret. Throws BODY_MALFORMED for a
 * broken escape.
 */
export function redactForm(body: Buffer, marks: Marks): Buffer | undefined {
  const fields = body.toString('utf8').split('&');
  const redacted = fields.map((field) => redactField(field, marks));
  return redacted.every((field, index) => field === fields[index])
    ? undefined
    : Buffer.from(redacted.join('&'));
}

function redactField(field: string, marks: Marks): string {
  const [name = '', ...parts] = field.split('=');
  const value = decode(parts.join('='));
  const clearName = decode(name);
  const isJson = /^\s{0,64}[{[]/.test(value);
  const redacted = isJson ? redactJsonText(value, marks) : redactText(value, marks, clearName);
  const redactedName = marks.redact(clearName);
  if (redacted === undefined && redactedName === undefined) return field;
  return new URLSearchParams([[redactedName ?? clearName, redacted ?? value]]).toString();
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw new PipelineError('BODY_MALFORMED', 'the form holds a broken escape', { cause });
  }
}
