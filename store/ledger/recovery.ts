/**
 * Finds the head of a log from its archive and brings the record store up to it. Refuses to go on where archive,
 * checkpoint, guard and key contradict each other.
 */
import { Value } from 'typebox/value';
import { LogGenesis } from '../../schemas/bundle.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { openCheckpoint, type Checkpoint } from '../chain/checkpoint.ts';
import { bundleKey, checkpointPrefix, genesisKey } from '../chain/layout.ts';
import { parseVkey } from '../chain/note.ts';
import { toRows } from '../records/record-row.ts';
import { readHead, requireSigned, rootHashOf, type Head } from './head.ts';
import type { LedgerOptions } from './options.ts';
import { bundleStarts, readSealedBundle } from './sealed-bundles.ts';

type SignedHead = Pick<Checkpoint, 'tree_size' | 'root_hash'>;

/** Throws START_REFUSED where anything is doubtful. When it resolves, the record store has all rows of the log. */
export async function recoverHead(options: LedgerOptions): Promise<Head> {
  await checkGenesis(options);
  // Checkpoints and rows follow their bundle, so they are read before it: else one that another sequencer commits in
  // the meantime looks as if it were missing.
  const signed = [await newestCheckpoint(options), await options.guard.latest(options.signer.name)];
  const rowCount = await options.records.size(options.log);
  const starts = await bundleStarts(options.archive, options.log);
  const head = await readHead(options, starts.at(-1));
  for (const signedHead of signed) if (signedHead !== undefined) checkSigned(options, head, signedHead);
  checkRowCount(options, head, rowCount);
  if (rowCount < head.treeSize) await insertMissingRows(options, head, startsFrom(starts, rowCount));
  return head;
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

async function newestCheckpoint({ archive, log, signer }: LedgerOptions): Promise<SignedHead | undefined> {
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

/** Compares the newest bundle with a head that was signed before. */
function checkSigned({ log }: LedgerOptions, head: Head, signed: SignedHead): void {
  if (signed.tree_size > head.treeSize) {
    throw new PipelineError(
      'START_REFUSED',
      `a head of size ${String(signed.tree_size)} was signed, but the archive of ${log} ends at ${String(head.treeSize)}`,
    );
  }
  if (signed.tree_size === head.treeSize && signed.root_hash !== rootHashOf(head)) {
    throw new PipelineError(
      'START_REFUSED',
      `another root was signed at size ${String(head.treeSize)} of ${log}`,
    );
  }
}

function checkRowCount({ log }: LedgerOptions, head: Head, rowCount: number): void {
  if (rowCount <= head.treeSize) return;
  throw new PipelineError(
    'START_REFUSED',
    `the record store has ${String(rowCount)} rows of ${log}, the archive only ${String(head.treeSize)}; see \`affidavit rebuild\``,
  );
}

/** The bundle that holds `index` and the one before it, whose head the chain goes on from. */
interface BundlesFrom {
  readonly previous: number | undefined;
  readonly starts: readonly number[];
}

function startsFrom(starts: readonly number[], index: number): BundlesFrom {
  const first = starts.findLastIndex((start) => start <= index);
  if (first < 0) return { previous: undefined, starts: [] };
  return { previous: starts[first - 1], starts: starts.slice(first) };
}

/** Inserts the rows of bundles that the record store lacks, oldest first. */
async function insertMissingRows(
  options: LedgerOptions,
  head: Head,
  { previous, starts }: BundlesFrom,
): Promise<void> {
  const { archive, log, records } = options;
  let { chainHead } = await readHead(options, previous);
  for (const start of starts) {
    const bundle = await readSealedBundle(archive, log, start);
    requireSigned(options, bundleKey(log, start), bundle.header);
    const token = bundleKey(log, bundle.header.start_index);
    await records.insert(log, toRows(bundle, chainHead), token);
    chainHead = Buffer.from(bundle.header.chain_head, 'hex');
    options.onReplay?.(bundle.header.tree_size, head.treeSize);
  }
}
