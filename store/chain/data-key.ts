/** The bond between a data key and its address. Pure; node:crypto only. */
import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { KeyAddress } from '../../schemas/data-key.ts';

/** One data key in clear, in memory alone: a KeyObject shows its bytes to no log and no JSON. */
export interface DataKey {
  readonly address: KeyAddress;
  /** 32 bytes, for AES-256-GCM. */
  readonly key: KeyObject;
  /** 32 bytes, see `keyCommitment`. */
  readonly commitment: Buffer;
}

/**
 * The answer to the question for one data key. `destroyed`: a tombstone stands in its place. `absent`: there is neither a
 * key nor a tombstone, so the key was lost, or it never was.
 */
export type FoundKey = DataKey | 'destroyed' | 'absent';

/** AES-256. */
export const DATA_KEY_BYTES = 32;
/** So that the commitment is not a MAC that anything else computes with the key. */
const COMMITMENT_DOMAIN = 'affidavit/data-key-commitment/v1';

/** Canonical JSON of an address (RFC 8785): two addresses are the same where their texts are. */
export function addressText({ month, retention_class, subject }: KeyAddress): string {
  return canonicalJson({ month, retention_class, subject });
}

/**
 * Commitment to a data key of 32 bytes: HMAC-SHA-256 under the key over the domain, a newline and the text of the address;
 * 32 bytes. AES-GCM alone commits to no key: somebody who chooses two keys can make one ciphertext that both open. With the
 * commitment beside the ciphertext one key alone fits, because two keys with one commitment would be a collision of
 * SHA-256. The commitment reveals nothing about the key, and binds it to its address.
 */
export function keyCommitment(key: KeyObject, address: KeyAddress): Buffer {
  return createHmac('sha256', key)
    .update(`${COMMITMENT_DOMAIN}\n${addressText(address)}`)
    .digest();
}

/** Whether this is the key of the commitment, in constant time. */
export function fitsCommitment(key: KeyObject, address: KeyAddress, commitment: Uint8Array): boolean {
  const own = keyCommitment(key, address);
  return own.length === commitment.length && timingSafeEqual(own, commitment);
}
