import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../../schemas/record.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { appendWhole, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

const BATCH = { records: [testRecord(0)], next_offset: 1n, duplicate_count: 0 };

describe('a bundle before it is created', () => {
  it.each([
    ['a time of receipt that is none', testRecord(1, { received_at: 'yesterday' })],
    ['no time of receipt', { ...testRecord(1), received_at: undefined } as unknown as AuditRecord],
    ['a fact that no schema has', testRecord(1, { facts: { ...testRecord(1).facts, other: 'x' } as never })],
    ['a count that is negative', testRecord(1, { facts: { ...testRecord(1).facts, duration_ms: -1 } })],
    ['an id that is no digest', testRecord(1, { id: 'x' })],
  ])('refuses a record with %s before it writes anything', async (_, invalid) => {
    const archive = createMemoryArchive();
    const options = await createTestLog({ archive, records: createMemoryRecordStore() });
    const ledger = await openLedger(options);
    const before = archive.objects.size;
    const refused = ledger.append({ records: [testRecord(0), invalid], next_offset: 2n, duplicate_count: 0 });
    await expect(refused).rejects.toMatchObject({ code: 'RECORD_INVALID' });
    expect(archive.objects.size).toBe(before);
    await ledger.recover();
    await appendWhole(ledger, BATCH);
    expect(ledger.treeSize()).toBe(1);
  });

  it('names in each bundle the event log that its offset counts in', async () => {
    const options = await createTestLog({
      archive: createMemoryArchive(),
      records: createMemoryRecordStore(),
    });
    const ledger = await openLedger(options);
    await appendWhole(ledger, { ...BATCH, event_log: 'log-1' });
    const again = await openLedger(options);
    expect([again.nextOffset(), again.eventLog()]).toEqual([1n, 'log-1']);
  });
});
