/**
 * The part of an archive that lies below trusted heads. Somebody may have the keys of its logs, so whatever lies behind these
 * heads may be forged in any way: it is not read. In: a reader and the heads. Out: findings about the leaves below them.
 */
import type { BundleHeader } from '../../schemas/bundle.ts';
import type { Leaf } from '../../schemas/leaf.ts';
import { parseCheckpoint } from '../chain/checkpoint.ts';
import { bundlePrefix, parseKey } from '../chain/layout.ts';
import { parseNote } from '../chain/note.ts';
import { listArchive } from './archive-listing.ts';
import type { ArchiveReader, Remains } from './archive-reader.ts';
import { checkKeptCheckpoints, readHeaderAndLeaves } from './kept-checkpoint.ts';
import { createFindings, type Findings, type KeptCheckpoint, type VerifyOptions } from './report.ts';
import { verifyLog, type LogVerdict } from './verify-log.ts';

/** A log of records, and the head up to which its leaves are trusted. */
export interface TrustedLog {
  readonly log: string;
  /** Undefined where no leaf is trusted: then the genesis alone is read. */
  readonly head: KeptCheckpoint | undefined;
}

/** A log as far as it is trusted. */
export interface TrustedPart extends TrustedLog {
  readonly size: number;
  /** Undefined where the archive does not hold the log. */
  readonly verdict: LogVerdict | undefined;
}

/** An archive as if its logs ended at these sizes, and as if it held no other log. */
function endingAt(reader: ArchiveReader, sizes: ReadonlyMap<string, number>): ArchiveReader {
  const isBelow = (key: string): boolean => {
    const { log = '', folder, position = 0 } = parseKey(key) ?? {};
    const size = sizes.get(log);
    if (size === undefined) return false;
    if (folder === 'bundle' || folder === 'payload') return position < size;
    return position <= size;
  };
  return {
    ...reader,
    async *list(prefix, what) {
      for await (const name of reader.list(prefix, what))
        if (what === 'folders' ? sizes.has(name) : isBelow(name)) yield name;
    },
    async *walk(findings) {
      for await (const object of reader.walk(findings)) if (isBelow(object.key)) yield object;
    },
    remains: (log, findings) => remainsBelow(reader, { log, size: sizes.get(log) ?? 0 }, findings),
  };
}

/** A failure of a lock counts where the place of the lock does. */
async function* remainsBelow(
  reader: ArchiveReader,
  { log, size }: { readonly log: string; readonly size: number },
  findings: Findings,
): AsyncGenerator<Remains> {
  let held = createFindings();
  const holding: Findings = { ...findings, fail: (...failure) => held.fail(...failure) };
  for await (const one of reader.remains(log, holding)) {
    const isBelow = one.place === undefined || one.place.first < size;
    if (isBelow) for (const { code, index, detail } of held.failures()) findings.fail(code, index, detail);
    held = createFindings();
    if (isBelow) yield one;
  }
}

/**
 * Verifies logs up to their trusted heads as an archive is verified, without its head log: genesis, bundles, keys, payload
 * objects and checkpoints, and then the root at each head under the keys of its size.
 */
export async function verifyTrustedParts(
  reader: ArchiveReader,
  logs: readonly TrustedLog[],
  options: VerifyOptions,
  findings: Findings,
): Promise<TrustedPart[]> {
  const sizes = new Map(logs.map(({ log, head }) => [log, sizeOf(head)]));
  const below = endingAt(reader, sizes);
  const { logs: listed } = await listArchive(below, options, findings);
  const parts: TrustedPart[] = [];
  for (const { log, head } of logs) {
    const size = sizes.get(log) ?? 0;
    const listing = listed.find((one) => one.log === log && one.hasGenesis);
    if (listing === undefined) {
      parts.push({ log, head, size, verdict: undefined });
      continue;
    }
    const objects = { reader: below, listing, heads: new Map(), findings };
    const verdict = await verifyLog(objects, { findKeys: options.findKeys, onProgress: options.onProgress });
    const { keys } = verdict;
    if (head !== undefined && keys !== undefined)
      await checkKeptCheckpoints([{ reader: below, log, keys, ...listing.early }], [head], findings);
    parts.push({ log, head, size, verdict });
  }
  return parts;
}

/** The bundle at whose end a trusted head lies. */
export interface TrustedBundle {
  readonly header: BundleHeader;
  /** The earliest `received_at` of its leaves, which the trusted head covers, as the header is not. */
  readonly receivedAt: string;
}

/** The bundle at whose end the head lies; undefined where none does. Its leaves were verified before. */
export async function bundleAt(
  reader: ArchiveReader,
  { log, size }: Pick<TrustedPart, 'log' | 'size'>,
): Promise<TrustedBundle | undefined> {
  const start = (await startsOf(reader, log)).findLast((one) => one < size);
  const bundle = start === undefined ? undefined : await readHeaderAndLeaves({ reader, log }, start);
  if (bundle?.header.tree_size !== size) return undefined;
  const { header, leafTexts } = bundle;
  const instants = leafTexts.map((text) => (JSON.parse(text) as Leaf).received_at);
  const [receivedAt] = instants.sort((left, right) => Date.parse(left) - Date.parse(right));
  return receivedAt === undefined ? undefined : { header, receivedAt };
}

/** How many leaves lie behind the head, by the newest bundle that reads. */
export async function leavesBehind(
  reader: ArchiveReader,
  { log, size }: Pick<TrustedPart, 'log' | 'size'>,
): Promise<number> {
  const starts = (await startsOf(reader, log)).filter((start) => start >= size);
  for (const start of starts.toReversed()) {
    const bundle = await readHeaderAndLeaves({ reader, log }, start);
    if (bundle !== undefined) return bundle.header.tree_size - size;
  }
  const last = starts.at(-1);
  // Nothing of them reads, and each bundle holds a leaf.
  return last === undefined ? 0 : last + 1 - size;
}

async function startsOf(reader: ArchiveReader, log: string): Promise<number[]> {
  const starts: number[] = [];
  for await (const key of reader.list(bundlePrefix(log), 'objects')) {
    const position = parseKey(key)?.position;
    if (position !== undefined) starts.push(position);
  }
  return starts;
}

function sizeOf(head: KeptCheckpoint | undefined): number {
  const note = head && parseNote(head.note);
  return (note && parseCheckpoint(note.text)?.tree_size) ?? 0;
}
