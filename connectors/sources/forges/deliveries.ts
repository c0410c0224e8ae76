/** How the deliveries of forges prove their sender. */
import {
  DELIVERY_ID,
  headerOf,
  requireHeader,
  signatureInvalid,
  unsigned,
  type WebhookProof,
} from '../../wire/webhook-proof.ts';
import { isKnownToken, isSignedBody } from '../../wire/webhook-signatures.ts';

/** GitHub does not send larger deliveries. */
const MAX_BYTES = 25 * 1024 * 1024;

/**
 * `X-Hub-Signature` with its SHA-1 is not accepted. It comes beside the other header; only servers that are too old
 * send it alone.
 */
export const GITHUB_PROOF: WebhookProof = {
  platform: 'github',
  description: '`X-Hub-Signature-256`',
  maxBytes: MAX_BYTES,
  open(headers, secrets) {
    const signature = headerOf(headers, 'x-hub-signature-256');
    if (signature === undefined) throw unsigned('X-Hub-Signature-256');
    return {
      id: requireHeader(headers, 'X-GitHub-Delivery', DELIVERY_ID),
      eventName: requireHeader(headers, 'X-GitHub-Event', /^[a-z][a-z0-9_]{0,63}$/),
      requireGenuine(body) {
        if (isSignedBody(signature, body, secrets)) return;
        throw signatureInvalid('X-Hub-Signature-256 fits the body under no secret');
      },
    };
  },
};

/** A header that may name an event or a delivery. */
const NAME = /^[\x20-\x7e]{1,128}$/;

/**
 * A token proves that the sender knows it. It does not prove the body: a sender that has seen the token can send any
 * body.
 */
export const GITLAB_PROOF: WebhookProof = {
  platform: 'gitlab',
  description: '`X-Gitlab-Token` or `X-Gitlab-Event-Streaming-Token`',
  maxBytes: MAX_BYTES,
  open(headers, secrets) {
    const token = headerOf(headers, 'x-gitlab-event-streaming-token') ?? headerOf(headers, 'x-gitlab-token');
    if (token === undefined) throw unsigned('X-Gitlab-Token and no X-Gitlab-Event-Streaming-Token');
    if (!isKnownToken(token, secrets)) throw signatureInvalid('the token of the request is not known');
    const eventName = headerOf(headers, 'x-gitlab-audit-event-type') ?? headerOf(headers, 'x-gitlab-event');
    const id = headerOf(headers, 'idempotency-key') ?? headerOf(headers, 'x-gitlab-event-uuid');
    return {
      id: id !== undefined && NAME.test(id) ? id : null,
      eventName: eventName !== undefined && NAME.test(eventName) ? eventName : undefined,
      requireGenuine: () => undefined,
    };
  },
};
