import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { appendWhole, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

it('the ledger salts every part by itself: no two salts of a log are the same', async () => {
  const records = createMemoryRecordStore();
  const options = await createTestLog({ archive: createMemoryArchive(), records });
  const ledger = await openLedger({ ...options, randomBytes });
  for (const from of [0, 5, 10]) {
    const batch = Array.from({ length: 5 }, (_, n) => testRecord(from + n));
    await appendWhole(ledger, { records: batch, next_offset: BigInt(from + 5), duplicate_count: 0 });
  }
  const salts = records.rows.flatMap(({ facts_salt, content_salt }) => [facts_salt, content_salt]);
  const drawn = salts.filter((salt) => salt !== '');
  expect(drawn.length).toBeGreaterThan(20);
  expect(drawn.every((salt) => /^[0-9a-f]{64}$/.test(salt))).toBe(true);
  expect(new Set(drawn).size).toBe(drawn.length);
});
