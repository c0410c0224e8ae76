/**
 * Finds the head of a log from its archive and brings the record store up to it. Refuses to go on where archive,
 * checkpoint, guard, key and clock do not tell one story.
 */
import { Value } from 'typebox/value';
import { BundleHeader, LogGenesis } from '../../schemas/bundle.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../archive/archive.ts';
import { decodeBundle, decodeLines } from '../chain/bundle.ts';
import { isHeaderSigned } from '../chain/bundle-signature.ts';
import { openCheckpoint, type Checkpoint } from '../chain/checkpoint.ts';
import { bundleKey, bundlePrefix, checkpointPrefix, genesisKey } from '../chain/layout.ts';
import { sha256Hex } from '../chain/leaf.ts';
import { chainStart, frontierRoot, type Frontier } from '../chain/merkle.ts';
import { parseVkey } from '../chain/note.ts';
import type { LedgerOptions } from './options.ts';
import type { SealedBundle } from '../records/record-row.ts';

/** Where a log ends, as its newest bundle says. */
export interface Head {
  readonly treeSize: number;
  readonly frontier: Frontier;
  readonly chainHead: Uint8Array;
  readonly nextOffset: bigint;
  readonly integratedAtMs: number;
}

/** A clock this far behind the last bundle is a slewing clock; further behind it is a wrong one. */
const MAX_CLOCK_BEHIND_MS = 2_000;

type SignedHead = Pick<Checkpoint, 'tree_size' | 'root_hash'>;
type Project = (bundle: SealedBundle, previousChain: Uint8Array) => Promise<void>;

export async function recoverHead(options: LedgerOptions, project: Project): Promise<Head> {
  await checkGenesis(options);
  // Checkpoints and rows follow their bundle, so they are read before it: else one that another sequencer commits in
  // the meantime looks as if it were missing.
  const known = [await newestCheckpoint(options), await options.guard.latest(options.signer.name)];
  const rowCount = await options.records.size(options.log);
  const starts = await bundleStarts(options.archive, options.log);
  const head = await readHead(options, starts.at(-1));
  checkHead(options, head, known);
  await replayInto(options, { starts, head, rowCount }, project);
  return head;
}

/** Start indexes of all bundles, rising. */
export async function bundleStarts(archive: Archive, log: string): Promise<number[]> {
  const prefix = bundlePrefix(log);
  const starts: number[] = [];
  for await (const key of archive.list(prefix)) starts.push(Number(key.slice(prefix.length)));
  return starts;
}

/** One bundle with its payload lines, checked as far as its own digests go. */
export async function readBundle(archive: Archive, log: string, start: number): Promise<SealedBundle> {
  const key = bundleKey(log, start);
  const { header, leafTexts } = await readBundleOnly(archive, key);
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
  return (await readBundleOnly(archive, bundleKey(log, start))).leafTexts;
}

async function readBundleOnly(
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

async function checkGenesis({ archive, log, signer }: LedgerOptions): Promise<void> {
  const bytes = await archive.get(genesisKey(log));
  if (bytes === undefined) {
    throw new PipelineError(
      'START_REFUSED',
      `log ${log} is not in the archive; create it with \`affidavit init\``,
    );
  }
  const genesis = Value.Parse(LogGenesis, JSON.parse(Buffer.from(bytes).toString('utf8')));
  if (genesis.vkey !== signer.vkey) {
    throw new PipelineError(
      'START_REFUSED',
      `log ${log} belongs to key ${genesis.vkey}, the configured signer is another`,
    );
  }
}

async function readHead(options: LedgerOptions, lastStart: number | undefined): Promise<Head> {
  if (lastStart === undefined) {
    return { treeSize: 0, frontier: [], chainHead: chainStart(), nextOffset: 0n, integratedAtMs: 0 };
  }
  const key = bundleKey(options.log, lastStart);
  const { header } = await readBundleOnly(options.archive, key);
  requireSigned(options, key, header);
  const frontier = header.frontier.map((hash) => Buffer.from(hash, 'hex'));
  if (Buffer.from(frontierRoot(frontier)).toString('hex') !== header.root_hash) {
    throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} names a root that its frontier does not have`);
  }
  return {
    treeSize: header.tree_size,
    frontier,
    chainHead: Buffer.from(header.chain_head, 'hex'),
    nextOffset: BigInt(header.next_offset),
    integratedAtMs: Date.parse(header.integrated_at),
  };
}

/** Whoever can write to the archive and has no key must not get a bundle of theirs taken for unfinished work. */
function requireSigned({ signer }: LedgerOptions, key: string, header: BundleHeader): void {
  const logKey = parseVkey(signer.vkey);
  if (logKey !== undefined && isHeaderSigned(header, logKey)) return;
  throw new PipelineError(
    'START_REFUSED',
    `bundle ${key} does not carry a signature of this log's key: somebody else wrote or changed it`,
  );
}

/** Holds the newest bundle against the heads that were published and signed. */
function checkHead(
  { clock, log }: LedgerOptions,
  head: Head,
  known: readonly (SignedHead | undefined)[],
): void {
  const root_hash = Buffer.from(frontierRoot(head.frontier)).toString('hex');
  for (const signed of known) {
    if (signed === undefined) continue;
    if (signed.tree_size > head.treeSize) {
      throw new PipelineError(
        'START_REFUSED',
        `a head of size ${String(signed.tree_size)} was signed, but the archive of ${log} ends at ${String(head.treeSize)}`,
      );
    }
    if (signed.tree_size === head.treeSize && signed.root_hash !== root_hash) {
      throw new PipelineError(
        'START_REFUSED',
        `another root was signed at size ${String(head.treeSize)} of ${log}`,
      );
    }
  }
  if (clock() + MAX_CLOCK_BEHIND_MS < head.integratedAtMs) {
    throw new PipelineError(
      'CLOCK_BEHIND',
      `the clock is behind the last bundle of ${log}; set it right first`,
    );
  }
}

async function newestCheckpoint({ archive, log, signer }: LedgerOptions) {
  let newest: string | undefined;
  for await (const key of archive.list(checkpointPrefix(log))) newest = key;
  if (newest === undefined) return undefined;
  const bytes = await archive.get(newest);
  const key = parseVkey(signer.vkey);
  const note = bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
  const checkpoint = key === undefined ? undefined : openCheckpoint(note, key);
  if (checkpoint !== undefined) return checkpoint;
  throw new PipelineError(
    'START_REFUSED',
    `checkpoint ${newest} does not carry a good signature of this log`,
  );
}

interface Found {
  readonly starts: readonly number[];
  readonly head: Head;
  readonly rowCount: number;
}

/** Projects the bundles that the record store lacks, oldest first. */
async function replayInto(
  options: LedgerOptions,
  { starts, head, rowCount }: Found,
  project: Project,
): Promise<void> {
  const { archive, log } = options;
  if (rowCount > head.treeSize) {
    throw new PipelineError(
      'START_REFUSED',
      `the record store has ${String(rowCount)} rows of ${log}, the archive only ${String(head.treeSize)}; see \`affidavit rebuild\``,
    );
  }
  const missing = starts.findLastIndex((start) => start <= rowCount);
  if (rowCount === head.treeSize || missing < 0) return;
  const previous = missing === 0 ? undefined : await readHead(options, starts[missing - 1]);
  let chain = previous?.chainHead ?? chainStart();
  for (const start of starts.slice(missing)) {
    const bundle = await readBundle(archive, log, start);
    requireSigned(options, bundleKey(log, start), bundle.header);
    await project(bundle, chain);
    chain = Buffer.from(bundle.header.chain_head, 'hex');
    options.onReplay?.(bundle.header.tree_size, head.treeSize);
  }
}

function indexOf(line: string): number {
  const digits = /^\{"index":(0|[1-9][0-9]{0,15}),/.exec(line)?.[1];
  if (digits === undefined) throw new PipelineError('ARCHIVE_DAMAGED', 'a payload line has no index');
  return Number(digits);
}
