/** How a platform proves who it is: over the body's own bytes, before anything in them is given a meaning. */
import type { IncomingHttpHeaders } from 'node:http';
import { PipelineError } from '../../schemas/errors.ts';
import { isKnownToken, isSignedBody } from './signature.ts';
import { fitsStandardWebhook } from './webhook-standard.ts';

/** Secrets that a platform may sign with. Several at once while one takes the place of another. */
export type WebhookSecrets = Readonly<Partial<Record<WebhookPlatform, readonly string[]>>>;
export type WebhookPlatform = 'github' | 'gitlab' | 'anthropic';

/** What the headers of a delivery say. */
export interface Delivery {
  /** The platform's id of the delivery, which a redelivery repeats. */
  readonly id: string | null;
  readonly eventName: string | undefined;
  /** Throws WEBHOOK_SIGNATURE_INVALID. */
  readonly requireGenuine: (body: Uint8Array) => void;
}

/** Throws WEBHOOK_UNSIGNED without a proof, PARAMETER_INVALID without what tells events apart. */
export type OpenDelivery = (
  headers: IncomingHttpHeaders,
  secrets: readonly string[],
  nowMs: number,
) => Delivery;

/** What a header may call an event or a delivery. */
const NAME = /^[\x20-\x7e]{1,128}$/;
const DELIVERY_ID = /^[\x21-\x7e]{1,128}$/;

/** `X-Hub-Signature` with its SHA-1 is not taken: it comes beside the other, and alone only from what is too old. */
export const openGithubDelivery: OpenDelivery = (headers, secrets) => {
  const signature = textOf(headers, 'x-hub-signature-256');
  if (signature === undefined) throw unsigned('X-Hub-Signature-256');
  return {
    id: requireHeader(headers, 'X-GitHub-Delivery', DELIVERY_ID),
    eventName: requireHeader(headers, 'X-GitHub-Event', /^[a-z][a-z0-9_]{0,63}$/),
    requireGenuine: (body) => {
      if (isSignedBody(signature, body, secrets)) return;
      throw new PipelineError(
        'WEBHOOK_SIGNATURE_INVALID',
        'X-Hub-Signature-256 fits the body under no secret',
      );
    },
  };
};

/** A token proves who knows it, not the body: whoever reads it once can send anything. */
export const openGitlabDelivery: OpenDelivery = (headers, secrets) => {
  const token = textOf(headers, 'x-gitlab-event-streaming-token') ?? textOf(headers, 'x-gitlab-token');
  if (token === undefined) throw unsigned('X-Gitlab-Token and no X-Gitlab-Event-Streaming-Token');
  if (!isKnownToken(token, secrets)) {
    throw new PipelineError('WEBHOOK_SIGNATURE_INVALID', 'the token of the request is not known');
  }
  const eventName = textOf(headers, 'x-gitlab-audit-event-type') ?? textOf(headers, 'x-gitlab-event');
  const id = textOf(headers, 'idempotency-key') ?? textOf(headers, 'x-gitlab-event-uuid');
  return {
    id: id !== undefined && NAME.test(id) ? id : null,
    eventName: eventName !== undefined && NAME.test(eventName) ? eventName : undefined,
    requireGenuine: () => undefined,
  };
};

/** How far the sender's clock may be from ours; an older delivery may have been kept by somebody to be sent again. */
const MAX_CLOCK_DIFFERENCE_MS = 5 * 60_000;

/** Standard Webhooks, as Anthropic's inference hooks sign: over id, time and body. */
export const openAnthropicDelivery: OpenDelivery = (headers, secrets, nowMs) => {
  const signatures = textOf(headers, 'webhook-signature');
  if (signatures === undefined) throw unsigned('webhook-signature');
  const id = requireHeader(headers, 'webhook-id', DELIVERY_ID);
  const seconds = requireHeader(headers, 'webhook-timestamp', /^[0-9]{1,12}$/);
  if (Math.abs(Number(seconds) * 1000 - nowMs) > MAX_CLOCK_DIFFERENCE_MS) {
    const detail = 'webhook-timestamp is more than five minutes from the time here';
    throw new PipelineError('WEBHOOK_SIGNATURE_INVALID', detail);
  }
  return {
    id,
    eventName: undefined,
    requireGenuine: (body) => {
      if (fitsStandardWebhook(signatures, { id, seconds, body }, secrets)) return;
      throw new PipelineError('WEBHOOK_SIGNATURE_INVALID', 'webhook-signature fits the body under no secret');
    },
  };
};

function unsigned(name: string): PipelineError {
  return new PipelineError('WEBHOOK_UNSIGNED', `the request has no ${name}`);
}

function requireHeader(headers: IncomingHttpHeaders, name: string, pattern: RegExp): string {
  const text = textOf(headers, name.toLowerCase());
  if (text !== undefined && pattern.test(text)) return text;
  const detail = text === undefined ? `the request has no ${name}` : `${name} does not read as one`;
  throw new PipelineError('PARAMETER_INVALID', detail, { place: name });
}

function textOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const text = headers[name];
  return typeof text === 'string' && text !== '' ? text : undefined;
}
