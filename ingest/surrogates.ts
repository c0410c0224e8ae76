import { hmacSha256 } from '../store/chain/sha256.ts';

/**
 * Keyed names for ids and people: a leaf is kept for ever, so they must be recognisable in it without being readable.
 * Each kind has a separate domain, so that equal text of two kinds yields different surrogates. Deterministic for one key.
 */
export interface Surrogates {
  /** 64 hex digits; the parts are encoded unambiguously, so ['a', 'bc'] and ['ab', 'c'] differ. */
  recordId(naturalKey: readonly string[]): string;
  /** 32 hex digits. */
  principal(id: string): string;
  /** 64 hex digits: the name under which the key store keeps the random surrogate of a person. */
  subject(claimed: string): string;
  /** 64 hex digits: the same for the person behind a session, where the source names nobody. */
  sessionOwner(sessionId: string): string;
}

/** `key` is the pseudonym key of the installation. Its holder can test guesses, so it never leaves the host. */
export function createSurrogates(key: Uint8Array): Surrogates {
  function surrogate(domain: string, parts: readonly string[]): string {
    // JSON escapes unpaired UTF-16 surrogates, so different parts never encode alike.
    return hmacSha256('hex', key, Buffer.from(JSON.stringify([`affidavit/v1/${domain}`, ...parts])));
  }
  return {
    recordId: (naturalKey) => surrogate('record-id', naturalKey),
    principal: (id) => surrogate('principal', [id]).slice(0, 32),
    subject: (claimed) => surrogate('subject', [claimed]),
    sessionOwner: (sessionId) => surrogate('session-owner', [sessionId]),
  };
}
