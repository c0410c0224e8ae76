import type { Archive } from '../../store/archive/archive.ts';
import { leafHash } from '../../store/chain/merkle.ts';
import { openLedger, type Ledger } from '../../store/ledger/ledger.ts';
import { readLeafTexts, bundleStarts } from '../../store/ledger/sealed-bundles.ts';
import { appendWhole, testRecord } from './ledger.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';

/** Seals bundles of these sizes behind what the log holds. */
export async function sealSizes(options: LedgerOptions, sizes: readonly number[]): Promise<Ledger> {
  const ledger = await openLedger(options);
  for (const size of sizes) {
    const from = ledger.treeSize();
    const records = Array.from({ length: size }, (_, n) => testRecord(from + n));
    await appendWhole(ledger, { records, next_offset: BigInt(from + size), duplicate_count: 0 });
  }
  return ledger;
}

/** Canonical texts of all leaves. */
export async function leavesOf(archive: Archive, log = 'p0'): Promise<string[]> {
  const texts: string[] = [];
  for (const start of await bundleStarts(archive, log))
    texts.push(...(await readLeafTexts(archive, log, start)));
  return texts;
}

export const hashOf = (text: string) => leafHash(Buffer.from(text));
