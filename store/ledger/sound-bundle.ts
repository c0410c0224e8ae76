import { PipelineError } from '../../schemas/errors.ts';
import type { BundleHeader } from '../../schemas/bundle.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { bundleKey } from '../chain/layout.ts';
import { chainHash, chainStart, leafHash } from '../chain/merkle.ts';
import { readHead, type HeadOptions } from './head.ts';
import { readKeysBefore, requireSigned } from './log-keys.ts';
import { findBundle, idOfLeaf, readHeaderAndLeaves } from './sealed-bundles.ts';

/** A bundle as its log sealed it: the log signed the header, and the leaves are those that the header names. */
export interface SoundBundle {
  readonly key: string;
  readonly header: BundleHeader;
  readonly frames: readonly FrameRef[];
  readonly leafTexts: readonly string[];
  /** Hashes of the leaves, in order. */
  readonly leafHashes: readonly Uint8Array[];
  /** Record ids of the leaves, in order. */
  readonly ids: readonly string[];
  /** Chain value of the leaf before the bundle. */
  readonly chainBefore: Uint8Array;
}

/**
 * Reads the bundle that starts at `start`. Throws START_REFUSED where the header is not signed by the log, and
 * ARCHIVE_DAMAGED where the leaves are not those of the header.
 *
 * @param chainBefore chain value of the leaf before the bundle, where the caller knows it; else the bundle before is read
 */
export async function readSoundBundle(
  options: HeadOptions,
  start: number,
  chainBefore?: Uint8Array,
): Promise<SoundBundle> {
  const { archive, log } = options;
  const key = bundleKey(log, start);
  const { header, frames, leafTexts } = await readHeaderAndLeaves(archive, key);
  requireSigned(options.keys ?? (await readKeysBefore(options, header)), key, header);
  const before = chainBefore ?? (await chainBeforeBundle(options, start));
  const leafHashes = leafTexts.map((text) => leafHash(Buffer.from(text)));
  if (toHex(leafHashes.reduce(chainHash, before)) !== header.chain_head)
    throw new PipelineError('ARCHIVE_DAMAGED', `the leaves of bundle ${key} are not those of its header`);
  return {
    key,
    header,
    frames,
    leafTexts,
    leafHashes,
    // Read on demand: the entries of the head log have none.
    get ids() {
      return leafTexts.map((text) => idOfLeaf(key, text));
    },
    chainBefore: before,
  };
}

/** Chain value of the leaf at `leafIndex`, hex; undefined where no bundle holds it. */
export async function chainAtLeaf(options: HeadOptions, leafIndex: number): Promise<string | undefined> {
  const start = await findBundle(options.archive, options.log, leafIndex);
  if (start === undefined) return undefined;
  const { leafHashes, chainBefore } = await readSoundBundle(options, start);
  return toHex(leafHashes.slice(0, leafIndex + 1 - start).reduce(chainHash, chainBefore));
}

async function chainBeforeBundle(options: HeadOptions, start: number): Promise<Uint8Array> {
  if (start === 0) return chainStart();
  return (await readHead(options, await findBundle(options.archive, options.log, start - 1))).chainHead;
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
