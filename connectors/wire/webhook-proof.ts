/**
 * How a platform proves that it sent a webhook. The proof is checked on the body's own bytes, before they are parsed.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { PipelineError } from '../../schemas/errors.ts';

/** The proof of a platform whose senders have a secret instead of a collector's token. */
export interface WebhookProof {
  /** Names the platform's secrets in the configuration, and its collector: `webhook:<platform>`. */
  readonly platform: string;
  /** The header with the proof, for people. */
  readonly description: string;
  /** Most bytes that are read before the sender is known, as sent and inflated. */
  readonly maxBytes: number;
  readonly open: OpenDelivery;
}

/** Reads the headers of a delivery. Throws WEBHOOK_UNSIGNED without a proof, PARAMETER_INVALID for a header that is missing. */
export type OpenDelivery = (
  headers: IncomingHttpHeaders,
  secrets: readonly string[],
  nowMs: number,
) => WebhookDelivery;

/** A delivery as its headers describe it. */
export interface WebhookDelivery {
  /** The platform's id of the delivery, which a redelivery repeats. */
  readonly id: string | null;
  readonly eventName: string | undefined;
  /** Throws WEBHOOK_SIGNATURE_INVALID. */
  readonly requireGenuine: (body: Uint8Array) => void;
}

/** A header that a platform may give its delivery as an id. */
export const DELIVERY_ID = /^[\x21-\x7e]{1,128}$/;

export function unsigned(name: string): PipelineError {
  return new PipelineError('WEBHOOK_UNSIGNED', `the request has no ${name}`);
}

export function signatureInvalid(detail: string): PipelineError {
  return new PipelineError('WEBHOOK_SIGNATURE_INVALID', detail);
}

/** Throws PARAMETER_INVALID for a header that is missing or does not fit the pattern. */
export function requireHeader(headers: IncomingHttpHeaders, name: string, pattern: RegExp): string {
  const text = headerOf(headers, name.toLowerCase());
  if (text !== undefined && pattern.test(text)) return text;
  const detail = text === undefined ? `the request has no ${name}` : `${name} does not read as one`;
  throw new PipelineError('PARAMETER_INVALID', detail, { place: name });
}

export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const text = headers[name];
  return typeof text === 'string' && text !== '' ? text : undefined;
}
