/** Reads sealed bundles back from the archive. In: an archive and a log. Out: bundles with their payload lines. */
import { Value } from 'typebox/value';
import { BundleHeader, type PartKind } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../archive/archive.ts';
import { areLeavesOf, decodeBundle, decodeLines } from '../chain/bundle-bytes.ts';
import { bundleKey } from '../chain/layout.ts';
import { sha256Hex } from '../chain/leaf.ts';
import { parseSecretLine } from '../chain/part.ts';
import type { SealedBundle, StoredPart } from '../records/record-row.ts';
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

/** One bundle with its payload lines. The digests of the payload objects are checked, the leaves are not. */
export async function readSealedBundle(archive: Archive, log: string, start: number): Promise<SealedBundle> {
  const { header, leafTexts } = await readHeaderAndLeaves(archive, bundleKey(log, start));
  return { log, header, leafTexts, ...(await readPayloads(archive, header)) };
}

/** Stored parts of a bundle, by leaf index. Throws ARCHIVE_DAMAGED for an object that its header does not name. */
export async function readPayloads(
  archive: Archive,
  header: BundleHeader,
): Promise<Pick<SealedBundle, PartKind>> {
  const parts = {
    facts: new Map<number, StoredPart>(),
    person: new Map<number, StoredPart>(),
    content: new Map<number, StoredPart>(),
  };
  for (const payload of header.payloads) {
    const bytes = await archive.get(payload.key);
    if (bytes === undefined || sha256Hex(bytes) !== payload.sha256) {
      throw new PipelineError(
        'ARCHIVE_DAMAGED',
        `payload ${payload.key} is missing or is not what its bundle names`,
      );
    }
    const [first = '', ...lines] = decodeLines(bytes);
    const secret = parseSecretLine(first);
    if (secret === undefined)
      throw new PipelineError('ARCHIVE_DAMAGED', `payload ${payload.key} begins with no secret`);
    for (const line of lines) parts[payload.kind].set(indexOf(line), { line, secret });
  }
  return parts;
}

/** Leaf texts of one bundle, without its payloads. */
export async function readLeafTexts(archive: Archive, log: string, start: number): Promise<string[]> {
  return (await readHeaderAndLeaves(archive, bundleKey(log, start))).leafTexts;
}

/** Record id of a leaf. Nothing else of the leaf is looked at. */
export function idOfLeaf(key: string, leafText: string): string {
  const leaf: unknown = JSON.parse(leafText);
  if (typeof leaf === 'object' && leaf !== null && 'id' in leaf && typeof leaf.id === 'string')
    return leaf.id;
  throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} has a leaf without an id`);
}

/** Throws ARCHIVE_DAMAGED where the bundle is missing, does not decode, or has other leaves than its header names. */
export async function readHeaderAndLeaves(
  archive: Archive,
  key: string,
): Promise<{ header: BundleHeader; leafTexts: string[] }> {
  const bytes = await archive.get(key);
  if (bytes === undefined) throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} is missing`);
  try {
    const { headerText, leaves, leafTexts } = decodeBundle(bytes);
    const header = Value.Parse(BundleHeader, JSON.parse(headerText));
    if (canonicalJson(header) !== headerText) throw new RangeError('the header line has another spelling');
    if (header.leaf_count === leafTexts.length && areLeavesOf(header, leaves)) return { header, leafTexts };
  } catch (cause) {
    throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} does not decode`, { cause });
  }
  throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} has other leaves than it says`);
}

function indexOf(line: string): number {
  const digits = /^\{"index":(0|[1-9][0-9]{0,15}),/.exec(line)?.[1];
  if (digits === undefined) throw new PipelineError('ARCHIVE_DAMAGED', 'a payload line has no index');
  return Number(digits);
}
