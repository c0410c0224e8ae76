/**
 * The record store against the archive, row by row. In: the archive of a deployment that was found intact, and its
 * record store. Out: findings. Holds about a thousand rows at a time, or one bundle where that is larger.
 */
import type { Archive } from '../../archive/archive.ts';
import { chainStart, leafHash } from '../../chain/merkle.ts';
import type { Findings, Progress } from '../report.ts';
import { checkpointKeys, lastNumber } from '../../ledger/numbered-keys.ts';
import { bundleStarts, readLeafTexts } from '../../ledger/sealed-bundles.ts';
import { readSealedBundle, type PartSources } from '../../ledger/sealed-parts.ts';
import { storedElsewhere, storedRows, storedTail } from '../../records/queries/stored-rows.ts';
import { toRows } from '../../records/record-row.ts';
import type { RecordRow, RecordStore } from '../../records/record-store.ts';
import { RowCheck } from './row-check.ts';

interface StoreVerificationOptions {
  readonly archive: Archive;
  readonly dataKeys: PartSources['dataKeys'];
  readonly records: RecordStore;
  /** Names of all logs of the archive. */
  readonly logs: readonly string[];
  readonly findings: Findings;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Rows that are compared at once; a larger bundle is compared as a whole. */
const ROWS_PER_READ = 1000;

/** Wide limits: the check reads every row, and must still end. */
const READ_LIMITS = { maxExecutionMs: 300_000, maxRowsToRead: 10_000_000_000 } as const;

/**
 * Compares every row of every log. Rejects with ARCHIVE_DAMAGED where the archive is not sound, so verify the archive
 * first, and with STORE_UNAVAILABLE where the store does not answer.
 */
export async function verifyRecordStore(options: StoreVerificationOptions): Promise<void> {
  const { records, logs, findings } = options;
  for (const log of logs) await verifyRowsOf(options, log);
  for (const foreign of await records.read(storedElsewhere({ logs }), READ_LIMITS)) {
    const detail = `${String(foreign.row_count)} rows of log ${foreign.log}, which is not in the archive`;
    findings.fail('row_of_unknown_log', foreign.first_index, detail);
  }
}

async function verifyRowsOf(options: StoreVerificationOptions, log: string): Promise<void> {
  const { archive, records, findings, onProgress } = options;
  // 0 before the first checkpoint.
  const signedSize = (await lastNumber(archive, checkpointKeys(log))) ?? 0;
  const check = new RowCheck({ signedSize, findings });
  let size = 0;
  for await (const rows of sealedRows(options, log)) {
    const first = rows[0]?.leaf_index ?? 0;
    size = first + rows.length;
    const range = { log, from_index: first, to_index: size };
    check.compare(rows, await records.read(storedRows(range), READ_LIMITS));
    onProgress?.({ step: `rows of ${log}`, done: size });
  }
  check.finish(await whereSealed(archive, log, check.misplacedHashes()));
  for (const tail of await records.read(storedTail({ log, from_index: size }), READ_LIMITS)) {
    const detail = `${String(tail.row_count)} rows from ${String(tail.first_index)} on; log ${log} ends at ${String(size)}`;
    findings.fail('row_beyond_log', tail.first_index, detail);
  }
}

/** Rows as the ledger writes them, in portions of whole bundles. */
async function* sealedRows(
  sources: Pick<StoreVerificationOptions, 'archive' | 'dataKeys'>,
  log: string,
): AsyncGenerator<RecordRow[]> {
  let chain: Uint8Array = chainStart();
  let portion: RecordRow[] = [];
  for (const start of await bundleStarts(sources.archive, log)) {
    const bundle = await readSealedBundle(sources, log, start);
    portion = portion.concat(toRows(bundle, chain));
    chain = Buffer.from(bundle.header.chain_head, 'hex');
    if (portion.length < ROWS_PER_READ) continue;
    yield portion;
    portion = [];
  }
  if (portion.length > 0) yield portion;
}

/** Indexes of the leaves with these hashes. Reads the whole log, unless there are none to find. */
async function whereSealed(
  archive: Archive,
  log: string,
  wanted: ReadonlySet<string>,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  if (wanted.size === 0) return found;
  for (const start of await bundleStarts(archive, log)) {
    (await readLeafTexts(archive, log, start)).forEach((text, position) => {
      const hash = Buffer.from(leafHash(Buffer.from(text))).toString('hex');
      if (wanted.has(hash)) found.set(hash, start + position);
    });
  }
  return found;
}
