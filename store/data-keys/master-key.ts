import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { decrypt, encrypt, NONCE_BYTES } from '../chain/aes-gcm.ts';

/** A secret under a master key. */
export interface Wrapped {
  /** 12 bytes. */
  readonly nonce: Buffer;
  /** Ciphertext and, behind it, the tag of 16 bytes. */
  readonly wrapped: Buffer;
}

/**
 * PORT: one master key. `wrap` encrypts a short secret and binds it to a text, `unwrap` undoes it and resolves undefined
 * where text, nonce, bytes or master key are others. `id` follows from the key, so another key never has it.
 */
export interface MasterKey {
  readonly id: string;
  wrap(secret: Uint8Array, boundTo: string): Promise<Wrapped>;
  unwrap(wrapped: Wrapped, boundTo: string): Promise<Buffer | undefined>;
}

/**
 * PORT: the place of master keys.
 *
 * - `create` makes a master key that nobody had before, durable when it resolves. It is made on demand alone and replaces
 *   nothing.
 * - `find` gives the master key of an id; undefined where this place has none.
 * - Errors: KEY_STORE_UNAVAILABLE (retry later), KEY_STORE_DAMAGED (the key is not the one of its id), KEY_STORE_EXPOSED.
 */
export interface MasterKeys {
  create(): Promise<MasterKey>;
  find(id: string): Promise<MasterKey | undefined>;
}

export const MASTER_KEY_BYTES = 32;
const ID_DOMAIN = 'affidavit/master-key-id/v1';
/** 128 bits, in hex. */
const ID_LENGTH = 32;

/** Id of a master key: the first 16 bytes of HMAC-SHA-256 under it over a fixed text, in hex. */
function masterKeyId(key: KeyObject): string {
  return createHmac('sha256', key).update(ID_DOMAIN).digest('hex').slice(0, ID_LENGTH);
}

/**
 * A master key that works in this process. AES-256-GCM rather than AES key wrap (RFC 3394), because it binds the secret to
 * a text: a wrapped key that is moved to another address does not open.
 */
export function masterKeyOf(bytes: Uint8Array, randomBytes: (count: number) => Buffer): MasterKey {
  if (bytes.length !== MASTER_KEY_BYTES) throw new RangeError('a master key has 32 bytes');
  const key = createSecretKey(bytes);
  return {
    id: masterKeyId(key),
    wrap(secret, boundTo) {
      const nonce = randomBytes(NONCE_BYTES);
      const wrapped = encrypt({ key, nonce }, Buffer.from(boundTo), secret);
      return Promise.resolve({ nonce, wrapped });
    },
    unwrap: ({ nonce, wrapped }, boundTo) =>
      Promise.resolve(decrypt({ key, nonce }, Buffer.from(boundTo), wrapped)),
  };
}

/** Makes master keys in the first place, and finds them in all, in this order: for a move from one place to another. */
export function firstOf(first: MasterKeys, ...others: readonly MasterKeys[]): MasterKeys {
  return {
    create: () => first.create(),
    async find(id) {
      for (const place of [first, ...others]) {
        const found = await place.find(id);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}
