import { expect, it } from 'vitest';
import { frameKeyAddress } from '../../../store/chain/frame.ts';
import { bundleKey } from '../../../store/chain/layout.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { requireNewestKeys } from '../../../store/ledger/newest-keys.ts';
import { readHeaderAndLeaves } from '../../../store/ledger/sealed-bundles.ts';
import { appendWhole, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryKeyStore } from '../../support/memory-key-store.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

async function sealed() {
  const dataKeys = createMemoryKeyStore();
  const archive = createMemoryArchive();
  const options = await createTestLog({ archive, dataKeys, records: createMemoryRecordStore() });
  const ledger = await openLedger(options);
  for (const from of [0, 4])
    await appendWhole(ledger, {
      records: [0, 1, 2, 3].map((n) => testRecord(from + n)),
      next_offset: BigInt(from + 4),
      duplicate_count: 0,
    });
  const { header, frames } = await readHeaderAndLeaves(archive, bundleKey('p0', 4));
  return { archive, dataKeys, addresses: frames.map((frame) => frameKeyAddress(header, frame)), log: 'p0' };
}

it('a key store that has every key of the newest bundle is the newest copy', async () => {
  await expect(requireNewestKeys(await sealed())).resolves.toBeUndefined();
});

it('a log without bundles asks for no key', async () => {
  const dataKeys = createMemoryKeyStore();
  await expect(
    requireNewestKeys({ archive: createMemoryArchive(), dataKeys, log: 'p0' }),
  ).resolves.toBeUndefined();
});

it('a key store without a key of the newest bundle is refused', async () => {
  const log = await sealed();
  log.dataKeys.lose(log.addresses.at(-1)!);
  await expect(requireNewestKeys(log)).rejects.toMatchObject({ code: 'KEY_MISSING' });
});

it('a key store with other keys at the same addresses is refused', async () => {
  const log = await sealed();
  const dataKeys = createMemoryKeyStore('made again');
  await expect(requireNewestKeys({ ...log, dataKeys })).rejects.toMatchObject({ code: 'KEY_MISSING' });
});

it('a destroyed key is not missing', async () => {
  const log = await sealed();
  log.dataKeys.destroySubject(log.addresses.find(({ subject }) => subject !== null)!.subject!);
  await expect(requireNewestKeys(log)).resolves.toBeUndefined();
});
