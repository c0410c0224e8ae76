/**
 * A frame: parts of one kind about one subject, as lines, compressed and encrypted. Everything that opening it takes
 * besides the data key stands in the signed bundle, so a frame is ciphertext alone. Pure: keys and nonces come from the
 * caller.
 */
import { createHmac, type KeyObject } from 'node:crypto';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { BundleHeader } from '../../schemas/bundle.ts';
import type { KeyAddress } from '../../schemas/data-key.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { decrypt, encrypt } from './aes-gcm.ts';
import { sha256 } from './sha256.ts';

const ENCRYPTION_DOMAIN = 'affidavit/frame-encryption/v1\n';
const SECRET_DOMAIN = 'affidavit/frame-secret/v1\n';

/** The members of a bundle that bind a frame to its place. */
export type FramePlace = Pick<BundleHeader, 'origin' | 'start_index' | 'integrated_at'>;
/** The members of a frame that bind it to its key and its kind. */
export type FrameLabel = Pick<FrameRef, 'kind' | 'retention_class' | 'subject' | 'commitment'>;

/** Address of the data key of a frame: a key serves the frames of one month, in UTC, by the clock of the bundle. */
export function frameKeyAddress(
  { integrated_at }: Pick<FramePlace, 'integrated_at'>,
  { subject, retention_class }: Pick<FrameLabel, 'subject' | 'retention_class'>,
): KeyAddress {
  return { subject, retention_class, month: integrated_at.slice(0, 'YYYY-MM'.length) };
}

/**
 * The secret that the salts of a frame follow from: HMAC-SHA-256 under its data key over a domain line and the nonce; 32
 * bytes. It needs no room in the frame, and it is gone with the key. It opens no other frame.
 */
export function frameSecret(key: KeyObject, nonce: Uint8Array): Buffer {
  return createHmac('sha256', key).update(SECRET_DOMAIN).update(nonce).digest();
}

/** Ciphertext with its tag of 16 bytes behind it. */
export function sealFrame(
  { key, nonce }: { readonly key: KeyObject; readonly nonce: Uint8Array },
  boundTo: { readonly place: FramePlace; readonly label: FrameLabel },
  compressed: Uint8Array,
): Buffer {
  return encrypt({ key: encryptionKey(key), nonce }, associatedData(boundTo), compressed);
}

/** The compressed lines of a frame; undefined where key, place or label are not those that it was sealed with. */
export function openFrame(
  key: KeyObject,
  { place, frame }: { readonly place: FramePlace; readonly frame: FrameRef },
  bytes: Uint8Array,
): Buffer | undefined {
  const nonce = Buffer.from(frame.nonce, 'base64url');
  return decrypt({ key: encryptionKey(key), nonce }, associatedData({ place, label: frame }), bytes);
}

/** Digest by which a bundle names the bytes of a frame, base64url. */
export function frameDigest(bytes: Uint8Array): string {
  return sha256('base64url', bytes);
}

/** HMAC-SHA-256 under the data key over a domain line, so that AES and HMAC never share a key. */
function encryptionKey(key: KeyObject): Buffer {
  return createHmac('sha256', key).update(ENCRYPTION_DOMAIN).digest();
}

/** Canonical JSON: a frame that is moved to another bundle, log, subject, class, kind or key does not open. */
function associatedData({ place, label }: { place: FramePlace; label: FrameLabel }): Buffer {
  const { subject, retention_class, month } = frameKeyAddress(place, label);
  const { origin, start_index } = place;
  const { commitment, kind } = label;
  return Buffer.from(
    canonicalJson({ commitment, kind, month, origin, retention_class, start_index, subject }),
  );
}
