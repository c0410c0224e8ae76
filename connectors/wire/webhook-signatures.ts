/** Checks that the sender of a webhook knows the secret. Each check takes the same time, whichever secret fits. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const HEX_SHA256 = /^sha256=([0-9a-fA-F]{64})$/;

/** Whether a header is `sha256=` and the hex HMAC-SHA-256 of the body's own bytes under one of the secrets. */
export function isSignedBody(header: string, body: Uint8Array, secrets: readonly string[]): boolean {
  const hex = HEX_SHA256.exec(header)?.[1];
  if (hex === undefined) return false;
  const given = Buffer.from(hex, 'hex');
  const fits = secrets.map((secret) =>
    timingSafeEqual(given, createHmac('sha256', secret).update(body).digest()),
  );
  return fits.includes(true);
}

/** Whether a header is one of the tokens. */
export function isKnownToken(header: string, tokens: readonly string[]): boolean {
  const given = digestOf(header);
  const fits = tokens.map((token) => timingSafeEqual(given, digestOf(token)));
  return fits.includes(true);
}

/** Digests have one length, whatever the tokens have. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** A delivery as Standard Webhooks (standardwebhooks.com) sign it: HMAC-SHA-256 over `id.seconds.body`. */
export interface SignedDelivery {
  readonly id: string;
  /** As the header spells them. */
  readonly seconds: string;
  readonly body: Uint8Array;
}

/** Signatures of one header that are read. A rotation of secrets needs two. */
const MAX_SIGNATURES = 8;

/**
 * Whether one of the header's signatures (`v1,` and base64, separated by blanks) is that of the delivery under one of
 * the secrets (`whsec_` and base64).
 */
export function fitsStandardWebhook(
  header: string,
  { id, seconds, body }: SignedDelivery,
  secrets: readonly string[],
): boolean {
  const given = header
    .split(' ', MAX_SIGNATURES)
    .flatMap((text) => (/^v1,([A-Za-z0-9+/]{43}=)$/.exec(text) ?? []).slice(1))
    .map((text) => Buffer.from(text, 'base64'));
  const fits = secrets.flatMap((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    const wanted = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest();
    return given.map((one) => timingSafeEqual(one, wanted));
  });
  return fits.includes(true);
}
