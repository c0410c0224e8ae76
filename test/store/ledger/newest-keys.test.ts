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

/** Where the newest bundle of `sealed` starts. */
const NEWEST = 4;

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
  const { header, frames } = await readHeaderAndLeaves(archive, bundleKey('p0', NEWEST));
  return {
    options,
    archive,
    dataKeys,
    addresses: frames.map((frame) => frameKeyAddress(header, frame)),
    log: 'p0',
  };
}

it('a key store that has every key of the newest bundle is the newest copy', async () => {
  await expect(requireNewestKeys(await sealed(), NEWEST)).resolves.toBeUndefined();
});

it('a ledger without bundles asks for no key', async () => {
  const dataKeys = createMemoryKeyStore();
  const find = () => Promise.reject(new Error('asked'));
  const options = await createTestLog({
    archive: createMemoryArchive(),
    records: createMemoryRecordStore(),
    dataKeys: { ...dataKeys, find },
  });
  await expect(openLedger(options)).resolves.toMatchObject({ log: 'p0' });
});

it('a ledger does not open over an older copy of the key store, and signs nothing', async () => {
  const { archive, options } = await sealed();
  const names = [...archive.objects.keys()];
  const reopened = { ...options, dataKeys: createMemoryKeyStore('made again') };
  await expect(openLedger(reopened)).rejects.toMatchObject({ code: 'KEY_MISSING' });
  expect([...archive.objects.keys()]).toEqual(names);
});

it('a key store without a key of the newest bundle is refused', async () => {
  const log = await sealed();
  log.dataKeys.lose(log.addresses.at(-1)!);
  await expect(requireNewestKeys(log, NEWEST)).rejects.toMatchObject({ code: 'KEY_MISSING' });
});

it('a key store with other keys at the same addresses is refused', async () => {
  const log = await sealed();
  const dataKeys = createMemoryKeyStore('made again');
  await expect(requireNewestKeys({ ...log, dataKeys }, NEWEST)).rejects.toMatchObject({
    code: 'KEY_MISSING',
  });
});

it('a destroyed key is not missing', async () => {
  const log = await sealed();
  log.dataKeys.destroySubject(log.addresses.find(({ subject }) => subject !== null)!.subject!);
  await expect(requireNewestKeys(log, NEWEST)).resolves.toBeUndefined();
});
