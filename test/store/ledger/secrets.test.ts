import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { PART_KINDS } from '../../../schemas/bundle.ts';
import { classOfPart, type RecordClass } from '../../../schemas/retention.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { appendWhole, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

it('each frame has a secret: bundles, kinds, classes and owners share none', async () => {
  const records = createMemoryRecordStore();
  const options = await createTestLog({ archive: createMemoryArchive(), records });
  const ledger = await openLedger({ ...options, randomBytes });
  for (const from of [0, 6, 12]) {
    const batch = Array.from({ length: 6 }, (_, n) =>
      testRecord(from + n, n % 2 === 0 ? { retention_class: 'file' } : {}),
    );
    await appendWhole(ledger, { records: batch, next_offset: BigInt(from + 6), duplicate_count: 0 });
  }
  const framesOf = new Map<string, Set<string>>();
  for (const row of records.rows) {
    const bundle = Math.floor(row.leaf_index / 6);
    for (const kind of PART_KINDS) {
      const secret = row[`${kind}_secret`];
      const owner = kind === 'facts' ? '' : row.leaf_index % 2;
      const frame = `${bundle} ${kind} ${classOfPart(kind, row.retention_class as RecordClass)} ${owner}`;
      if (secret !== '') framesOf.set(secret, (framesOf.get(secret) ?? new Set()).add(frame));
    }
  }
  expect([...framesOf.keys()].every((secret) => Buffer.from(secret, 'base64url').length === 32)).toBe(true);
  expect([...framesOf.values()].every((frames) => frames.size === 1)).toBe(true);
  // Facts; the person of odd records; content of odd records, which are of class content, and of some even ones.
  expect(framesOf.size).toBe(3 * 4);
});
