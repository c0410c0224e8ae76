/** Signatures of Standard Webhooks (standardwebhooks.com): HMAC-SHA-256 over `id.seconds.body`, several in one header. */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface SignedDelivery {
  readonly id: string;
  /** As the header spells them. */
  readonly seconds: string;
  readonly body: Uint8Array;
}

/** More are no sign of a rotation. */
const MAX_SIGNATURES = 8;

/**
 * Whether one of the header's signatures (`v1,` and base64, separated by blanks) is that of the delivery under one of
 * the secrets (`whsec_` and base64). Takes the same time whichever of them fits, or none.
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
