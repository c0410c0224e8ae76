import { createHmac } from 'node:crypto';
import type { Fingerprint } from './redact-text.ts';

const DOMAIN = 'affidavit/v1/secret';
const FINGERPRINT_DIGITS = 16;

/**
 * HMAC-SHA-256 over a domain of its own and the secret, cut to 64 bits. `key` is the pseudonym key of the installation:
 * whoever has it can test guesses of weak secrets, so it never leaves the host.
 */
export function createFingerprint(key: Uint8Array): Fingerprint {
  return (secret) =>
    createHmac('sha256', key)
      .update(JSON.stringify([DOMAIN, secret]))
      .digest('hex')
      .slice(0, FINGERPRINT_DIGITS);
}
