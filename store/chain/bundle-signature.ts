/**
 * The signature of a bundle. The header names the root, so a signature over the header covers every leaf. It also covers
 * the members outside the tree: `next_offset`, `integrated_at`, `duplicate_count`, `payloads`. Pure; node:crypto only.
 */
import { canonicalJson } from '../../schemas/canonical.ts';
import type { BundleHeader, UnsignedBundleHeader } from '../../schemas/bundle.ts';
import { fromBase64, isSignedBy, parseVkey, type VerifierKey } from './note.ts';

/** Keeps these signatures apart from those of checkpoints, whose second line is a number and not JSON. */
const DOMAIN = 'affidavit/bundle/v1\n';

/** Keeps the signature of the next key apart from those of the keys that sign whole headers. */
const NEXT_KEY_DOMAIN = 'affidavit/next-key/v1\n';

/** The bytes that are signed: the domain line and the canonical JSON of the header without its signature. */
export function headerMessage(header: UnsignedBundleHeader): Buffer {
  return Buffer.from(`${DOMAIN}${canonicalJson(header)}`);
}

/** Whether the holder of `key` signed this header. */
export function isHeaderSigned({ signature, ...header }: BundleHeader, key: VerifierKey): boolean {
  const bytes = fromBase64(signature);
  return bytes !== undefined && isSignedBy(key, headerMessage(header), bytes);
}

/** The bytes that the next key signs: its domain line and the canonical JSON of the header without both signatures. */
export function nextKeyMessage(header: UnsignedBundleHeader): Buffer {
  const signatures = new Set(['signature', 'next_signature']);
  const signed = Object.entries(header).filter(([name]) => !signatures.has(name));
  return Buffer.from(`${NEXT_KEY_DOMAIN}${canonicalJson(Object.fromEntries(signed) as typeof header)}`);
}

/** Whether the key that a header names as the next one signed that, and nothing like it is there where none is named. */
export function isTakenUp(header: BundleHeader): boolean {
  const { next_vkey, next_signature } = header;
  if (next_vkey === undefined || next_signature === undefined) return next_vkey === next_signature;
  const key = parseVkey(next_vkey);
  const bytes = fromBase64(next_signature);
  return key !== undefined && bytes !== undefined && isSignedBy(key, nextKeyMessage(header), bytes);
}
