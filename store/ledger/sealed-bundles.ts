/** Reads sealed bundles back from the archive. In: an archive and a log. Out: bundles with their payload lines. */
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { BundleHeader } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { FrameRef } from '../../schemas/frame.ts';
import type { Archive } from '../archive/archive.ts';
import { areLinesOf, decodeBundle } from '../chain/bundle-bytes.ts';
import { bundleKey } from '../chain/layout.ts';
import { bundleKeys, lastNumberUpTo, numbersAfter } from './numbered-keys.ts';

/** Start indexes of all bundles, rising. */
export async function bundleStarts(archive: Archive, log: string): Promise<number[]> {
  const starts: number[] = [];
  for await (const start of numbersAfter(archive, bundleKeys(log), -1)) starts.push(start);
  return starts;
}

/** Start index of the bundle that holds the leaf at `index`; undefined where no bundle starts at or before it. */
export function findBundle(archive: Archive, log: string, index: number): Promise<number | undefined> {
  return lastNumberUpTo(archive, bundleKeys(log), index);
}

/** Leaf texts of one bundle, without its payloads. */
export async function readLeafTexts(
  archive: Archive,
  log: string,
  start: number,
): Promise<readonly string[]> {
  return (await readHeaderAndLeaves(archive, bundleKey(log, start))).leafTexts;
}

/** Record id of a leaf. Nothing else of the leaf is looked at. */
export function idOfLeaf(key: string, leafText: string): string {
  const leaf: unknown = JSON.parse(leafText);
  if (typeof leaf === 'object' && leaf !== null && 'id' in leaf && typeof leaf.id === 'string')
    return leaf.id;
  throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} has a leaf without an id`);
}

/** The lines of a bundle. */
export interface BundleLines {
  readonly header: BundleHeader;
  readonly frames: readonly FrameRef[];
  readonly leafTexts: readonly string[];
}

const frameShape = Compile(FrameRef);

/** Throws ARCHIVE_DAMAGED where the bundle is missing, does not decode, or has other lines than its header names. */
export async function readHeaderAndLeaves(archive: Pick<Archive, 'get'>, key: string): Promise<BundleLines> {
  const bytes = await archive.get(key);
  if (bytes === undefined) throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} is missing`);
  try {
    const { headerText, lines, frameTexts, leafTexts } = decodeBundle(bytes);
    const header = Value.Parse(BundleHeader, JSON.parse(headerText));
    if (canonicalJson(header) !== headerText) throw new RangeError('the header line has another spelling');
    const frames = frameTexts.map(toFrame);
    const isWhole = header.frame_count === frames.length && header.leaf_count === leafTexts.length;
    if (isWhole && areLinesOf(header, lines)) return { header, frames, leafTexts };
  } catch (cause) {
    throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} does not decode`, { cause });
  }
  throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} has other lines than it says`);
}

function toFrame(text: string): FrameRef {
  const frame: unknown = JSON.parse(text);
  if (!frameShape.Check(frame)) throw new RangeError('a line is not of a frame');
  return frame;
}
