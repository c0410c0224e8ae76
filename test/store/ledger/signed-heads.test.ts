import { describe, expect, it } from 'vitest';
import { checkpointText } from '../../../store/chain/checkpoint.ts';
import { checkpointKey } from '../../../store/chain/layout.ts';
import { formatNote, parseVkey } from '../../../store/chain/note.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import type { LedgerOptions } from '../../../store/ledger/options.ts';
import { appendWhole, createMemoryGuard, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

const OTHER_ROOT = 'f'.repeat(64);
const SIZE = 3;

async function sealedLog() {
  const archive = createMemoryArchive();
  const records = createMemoryRecordStore();
  const options = await createTestLog({ archive, records });
  const batch = Array.from({ length: SIZE }, (_, n) => testRecord(n));
  const ledger = await openLedger(options);
  await appendWhole(ledger, { records: batch, next_offset: BigInt(SIZE), duplicate_count: 0 });
  return { archive, records, options };
}

/** A head that the key of the log did sign. */
async function signedNote({ signer }: LedgerOptions, root_hash: string): Promise<Buffer> {
  const text = checkpointText({ origin: signer.name, tree_size: SIZE, root_hash });
  const { name, keyId } = parseVkey(signer.vkey)!;
  const signature = await signer.sign(Buffer.from(text));
  return Buffer.from(formatNote(text, [{ name, keyId, signature }]));
}

describe('a log of whose size another root was signed', () => {
  const refusal = { code: 'START_REFUSED', message: expect.stringContaining('another root') as string };

  it('is refused where its checkpoint says so, and not one row is inserted', async () => {
    const { archive, records, options } = await sealedLog();
    archive.objects.set(checkpointKey('p0', SIZE), await signedNote(options, OTHER_ROOT));
    await records.clear();
    const guard = createMemoryGuard();
    await expect(openLedger({ ...options, guard })).rejects.toMatchObject(refusal);
    expect(records.rows).toEqual([]);
  });

  it('is refused where the head guard remembers it, and not one row is inserted', async () => {
    const { archive, records, options } = await sealedLog();
    archive.objects.delete(checkpointKey('p0', SIZE));
    await records.clear();
    const guard = createMemoryGuard();
    guard.head = { tree_size: SIZE, root_hash: OTHER_ROOT };
    await expect(openLedger({ ...options, guard })).rejects.toMatchObject(refusal);
    expect(records.rows).toEqual([]);
  });
});
