import type { BundleHeader } from '../../schemas/bundle.ts';
import { packBundle, packLines } from '../../store/chain/bundle-bytes.ts';

/** A bundle of this header and these leaves, whatever the header names. */
export async function toBundle(header: BundleHeader, leafTexts: readonly string[]): Promise<Uint8Array> {
  return packBundle(header, await packLines(leafTexts));
}
