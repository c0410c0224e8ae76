import type { BundleHeader } from '../../schemas/bundle.ts';
import { packBundle, packLines } from '../../store/chain/bundle-bytes.ts';

/** The lines behind the header of a bundle. */
export interface BundleTexts {
  readonly frameTexts: readonly string[];
  readonly leafTexts: readonly string[];
}

/** A bundle of this header and these lines, whatever the header names. */
export async function toBundle(
  header: BundleHeader,
  { frameTexts, leafTexts }: BundleTexts,
): Promise<Uint8Array> {
  return packBundle(header, await packLines([...frameTexts, ...leafTexts]));
}
