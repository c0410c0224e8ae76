import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { PART_KINDS } from '../../../schemas/bundle.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { appendWhole, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

it('the ledger draws a secret for each payload object: bundles, classes and parts share none', async () => {
  const records = createMemoryRecordStore();
  const options = await createTestLog({ archive: createMemoryArchive(), records });
  const ledger = await openLedger({ ...options, randomBytes });
  for (const from of [0, 6, 12]) {
    const batch = Array.from({ length: 6 }, (_, n) =>
      testRecord(from + n, n % 2 === 0 ? { retention_class: 'file' } : {}),
    );
    await appendWhole(ledger, { records: batch, next_offset: BigInt(from + 6), duplicate_count: 0 });
  }
  const objectsOf = new Map<string, Set<string>>();
  for (const row of records.rows) {
    const bundle = `${String(Math.floor(row.leaf_index / 6))} ${row.retention_class}`;
    for (const kind of PART_KINDS) {
      const secret = row[`${kind}_secret`];
      if (secret !== '') objectsOf.set(secret, (objectsOf.get(secret) ?? new Set()).add(`${bundle} ${kind}`));
    }
  }
  expect([...objectsOf.keys()].every((secret) => Buffer.from(secret, 'base64url').length === 32)).toBe(true);
  expect([...objectsOf.values()].every((objects) => objects.size === 1)).toBe(true);
  expect(objectsOf.size).toBe(3 * 2 * 3 - 3);
});
