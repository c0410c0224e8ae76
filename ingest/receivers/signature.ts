/** Proofs that a webhook comes from who has the secret. Each takes the same time whichever secret fits, or none. */
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
