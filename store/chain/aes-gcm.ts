/** AES-256-GCM (NIST SP 800-38D) with a tag of 16 bytes behind the ciphertext. Pure: keys and nonces come from the caller. */
import { createCipheriv, createDecipheriv, type CipherKey } from 'node:crypto';

/** GCM is made for nonces of 96 bits. Random ones may encrypt 2^32 texts under one key (NIST SP 800-38D section 8.3). */
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** A key of 32 bytes, and a nonce that this key never had before. */
export interface KeyAndNonce {
  readonly key: CipherKey;
  readonly nonce: Uint8Array;
}

/** Ciphertext with its tag behind it. It opens under the same key, nonce and `boundTo` alone. */
export function encrypt({ key, nonce }: KeyAndNonce, boundTo: Uint8Array, clear: Uint8Array): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(boundTo);
  return Buffer.concat([cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
}

/** Undoes `encrypt`; undefined where key, nonce, `boundTo` or any byte is another. */
export function decrypt(
  { key, nonce }: KeyAndNonce,
  boundTo: Uint8Array,
  encrypted: Uint8Array,
): Buffer | undefined {
  if (nonce.length !== NONCE_BYTES || encrypted.length < TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(boundTo)
    .setAuthTag(encrypted.subarray(-TAG_BYTES));
  const clear = decipher.update(encrypted.subarray(0, -TAG_BYTES));
  try {
    decipher.final();
    return clear;
  } catch {
    return undefined;
  }
}
