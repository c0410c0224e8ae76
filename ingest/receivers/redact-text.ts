import { createHmac } from 'node:crypto';
import { findSecrets } from '../../connectors/detect/secrets.ts';
import type { SecretType } from '../../schemas/data-class.ts';

/**
 * Sixteen hex digits as the name of a secret: the same for the same secret wherever it appears, and worthless without the
 * key of the installation.
 */
export type Fingerprint = (secret: string) => string;

const DOMAIN = 'affidavit/v1/secret';
const FINGERPRINT_DIGITS = 16;

/**
 * HMAC-SHA-256 over a domain for secrets alone and the secret, cut to 64 bits. `key` is the pseudonym key of the
 * installation: with it guesses of weak secrets can be tested, so it never leaves the host.
 */
export function createFingerprint(key: Uint8Array): Fingerprint {
  return (secret) =>
    createHmac('sha256', key)
      .update(JSON.stringify([DOMAIN, secret]))
      .digest('hex')
      .slice(0, FINGERPRINT_DIGITS);
}

/** Replaces secrets by marks and counts them. */
export interface Marks {
  /**
   * The text with `[secret:<type>:<fingerprint>]` for each secret, or undefined where it holds none. `name` is the name
   * of the member whose value it is.
   */
  readonly redact: (text: string, name?: string) => string | undefined;
  readonly count: () => number;
  /** Sorted, each once. */
  readonly types: () => SecretType[];
}

export function createMarks(fingerprint: Fingerprint): Marks {
  const types = new Set<SecretType>();
  let count = 0;
  return {
    redact(text, name) {
      const found = findSecrets(text, name);
      if (found.length === 0) return undefined;
      let redacted = '';
      let from = 0;
      for (const { type, start, end } of found) {
        redacted += `${text.slice(from, start)}[secret:${type}:${fingerprint(text.slice(start, end))}]`;
        from = end;
        types.add(type);
        count += 1;
      }
      return redacted + text.slice(from);
    },
    count: () => count,
    types: () => [...types].sort(),
  };
}
