/** Reads sealed bundles back from the archive. In: an archive and a log. Out: bundles with their payload lines. */
import { Value } from 'typebox/value';
import { BundleHeader } from '../../schemas/bundle.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { Leaf } from '../../schemas/leaf.ts';
import type { Archive } from '../archive/archive.ts';
import { decodeBundle, decodeLines } from '../chain/bundle-bytes.ts';
import { bundleKey, bundlePrefix } from '../chain/layout.ts';
import { sha256Hex } from '../chain/leaf.ts';
import type { SealedBundle } from '../records/record-row.ts';

/** Start indexes of all bundles, rising. */
export async function bundleStarts(archive: Archive, log: string): Promise<number[]> {
  const prefix = bundlePrefix(log);
  const starts: number[] = [];
  for await (const key of archive.list(prefix)) starts.push(Number(key.slice(prefix.length)));
  return starts;
}

/** One bundle with its payload lines. The digests of the payload objects are checked, the leaves are not. */
export async function readSealedBundle(archive: Archive, log: string, start: number): Promise<SealedBundle> {
  const { header, leafTexts } = await readHeaderAndLeaves(archive, bundleKey(log, start));
  const lines = { facts: new Map<number, string>(), content: new Map<number, string>() };
  for (const payload of header.payloads) {
    const bytes = await archive.get(payload.key);
    if (bytes === undefined || sha256Hex(bytes) !== payload.sha256) {
      throw new PipelineError(
        'ARCHIVE_DAMAGED',
        `payload ${payload.key} is missing or is not what its bundle names`,
      );
    }
    for (const line of decodeLines(bytes)) lines[payload.kind].set(indexOf(line), line);
  }
  return { log, header, leafTexts, factsLines: lines.facts, contentLines: lines.content };
}

/** Leaf texts of one bundle, without its payloads. */
export async function readLeafTexts(archive: Archive, log: string, start: number): Promise<string[]> {
  return (await readHeaderAndLeaves(archive, bundleKey(log, start))).leafTexts;
}

/** Ids of all leaves at or after `index`, bundle by bundle, each with the tree size after it. */
export async function* leafIdsFrom(
  archive: Archive,
  log: string,
  index: number,
): AsyncGenerator<{ readonly ids: readonly string[]; readonly tree_size: number }> {
  const starts = await bundleStarts(archive, log);
  const first = starts.findLastIndex((start) => start <= index);
  for (const start of starts.slice(Math.max(first, 0))) {
    const texts = await readLeafTexts(archive, log, start);
    const leaves = texts.map((text) => Value.Parse(Leaf, JSON.parse(text)));
    const ids = leaves.slice(Math.max(index - start, 0)).map(({ id }) => id);
    if (ids.length > 0) yield { ids, tree_size: start + leaves.length };
  }
}

/** Throws ARCHIVE_DAMAGED where the bundle is missing, does not decode, or has another number of leaves. */
export async function readHeaderAndLeaves(
  archive: Archive,
  key: string,
): Promise<{ header: BundleHeader; leafTexts: string[] }> {
  const bytes = await archive.get(key);
  if (bytes === undefined) throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} is missing`);
  try {
    const { headerText, leafTexts } = decodeBundle(bytes);
    const header = Value.Parse(BundleHeader, JSON.parse(headerText));
    if (header.leaf_count === leafTexts.length) return { header, leafTexts };
  } catch (cause) {
    throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} does not decode`, { cause });
  }
  throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} has more or fewer leaves than it says`);
}

function indexOf(line: string): number {
  const digits = /^\{"index":(0|[1-9][0-9]{0,15}),/.exec(line)?.[1];
  if (digits === undefined) throw new PipelineError('ARCHIVE_DAMAGED', 'a payload line has no index');
  return Number(digits);
}
