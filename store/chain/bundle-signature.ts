/**
 * The signature of a bundle. The header names the root, so a signature over the header covers every leaf. It also covers
 * the members outside the tree: `next_offset`, `integrated_at`, `duplicate_count`, `payloads`. Pure; node:crypto only.
 */
import { canonicalJson } from '../../schemas/canonical.ts';
import type { BundleHeader, UnsignedBundleHeader } from '../../schemas/bundle.ts';
import { fromBase64, isSignedBy, type VerifierKey } from './note.ts';

/** Keeps these signatures apart from those of checkpoints, whose second line is a number and not JSON. */
const DOMAIN = 'affidavit/bundle/v1\n';

/** The bytes that are signed: the domain line and the canonical JSON of the header without its signature. */
export function headerMessage(header: UnsignedBundleHeader): Buffer {
  return Buffer.from(`${DOMAIN}${canonicalJson(header)}`);
}

/** Whether the holder of `key` signed this header. */
export function isHeaderSigned({ signature, ...header }: BundleHeader, key: VerifierKey): boolean {
  const bytes = fromBase64(signature);
  return bytes !== undefined && isSignedBy(key, headerMessage(header), bytes);
}
