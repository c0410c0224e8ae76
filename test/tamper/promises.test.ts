/** Defects that only the holder of the key can sign: a genesis exchanged, times that go back, locks below their floor. */
import { expect, it } from 'vitest';
import type { BundleHeader, LogGenesis, UnsignedLogGenesis } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import { formatGenesis, genesisMessage } from '../../store/chain/genesis.ts';
import { bundleKey, genesisKey } from '../../store/chain/layout.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import { changeLock, replaceObject, signedHeader } from '../support/archive-folder.ts';
import { toBundle } from '../support/bundle-file.ts';
import { createTestLog, TEST_POLICY, testLock, testRecord } from '../support/ledger.ts';
import { createMemoryArchive } from '../support/memory-archive.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { describeArchiveCases, LOG_SIGNER, read, type ArchiveCase } from './archive-cases.ts';
import { readBundle } from './forge.ts';

const GENESIS = genesisKey('p0');

/** A genesis with other members, signed by the key of the log. */
async function signedGenesis(bytes: Uint8Array, change: Partial<LogGenesis>): Promise<LogGenesis> {
  const genesis: Partial<LogGenesis> = JSON.parse(Buffer.from(bytes).toString()) as LogGenesis;
  delete genesis.signature;
  const changed = { ...genesis, ...change } as UnsignedLogGenesis;
  const signature = await LOG_SIGNER.sign(genesisMessage(changed));
  return { ...changed, signature: Buffer.from(signature).toString('base64') };
}

/** Exchanges the genesis for another one that the same key signed. */
const otherGenesis = (change: Partial<LogGenesis>) => async (dir: string) =>
  replaceObject(dir, GENESIS, formatGenesis(await signedGenesis(await read(dir, GENESIS), change)));

/** Changes the header of a bundle, and signs it again with the key of the log. */
const resigned =
  (start: number, change: (header: BundleHeader) => Partial<BundleHeader>) => async (dir: string) => {
    const { header, frames, leafTexts } = await readBundle(dir, start);
    const signed = await signedHeader(LOG_SIGNER, { ...header, ...change(header) });
    await replaceObject(
      dir,
      bundleKey('p0', start),
      await toBundle(signed, { frameTexts: frames.map((frame) => canonicalJson(frame)), leafTexts }),
    );
  };

const untilDay = (day: string) => ({ ...testLock(), retain_until: `${day}T09:00:00.000Z` });
const withPayloadLock = (lock: ReturnType<typeof testLock>) => (header: BundleHeader) => ({
  payloads: header.payloads.map((ref) => ({ ...ref, lock })),
});

const PROMISES: readonly ArchiveCase[] = [
  ...Object.entries({ v: 2, frame_dictionary: 'f'.repeat(64) }).map(([member, value]) => ({
    name: `a genesis in a format with another ${member}`,
    tamper: otherGenesis({ [member]: value }),
    code: 'format_unknown' as const,
    index: null,
    names: GENESIS,
  })),
  ...Object.entries({
    created_at: '2026-11-20T09:00:00.000Z',
    synthetic: true,
    policy: { ...TEST_POLICY, archive_days: { ...TEST_POLICY.archive_days, content: 1 } },
  }).map(([member, value]) => ({
    name: `a second genesis of the same key with another ${member}`,
    tamper: otherGenesis({ [member]: value }),
    code: 'genesis_replaced' as const,
    index: null,
    names: `${bundleKey('p0', 0)} names`,
  })),
  {
    name: 'bundles of another genesis, from the third on',
    tamper: resigned(10, () => ({ genesis_sha256: 'f'.repeat(64) })),
    code: 'genesis_replaced',
    index: null,
    names: `${bundleKey('p0', 10)} names ${'f'.repeat(64)}`,
  },
  {
    name: 'a log that was begun after its first bundle',
    tamper: otherGenesis({ created_at: '2026-11-21T09:00:00.001Z' }),
    code: 'genesis_postdated',
    index: null,
    names: GENESIS,
  },
  {
    name: 'a bundle that was sealed before the one in front of it',
    tamper: resigned(15, () => ({ integrated_at: '2026-11-21T08:59:59.999Z' })),
    code: 'integrated_at_reversed',
    index: 15,
    names: bundleKey('p0', 15),
  },
  {
    name: 'a lock of a bundle that ends before it was sealed',
    tamper: resigned(10, () => ({ lock: untilDay('2026-11-20') })),
    code: 'lock_below_floor',
    index: 10,
    names: bundleKey('p0', 10),
  },
  {
    name: 'a lock of a bundle that is a day short of its floor',
    tamper: resigned(10, () => ({ lock: untilDay('2026-12-20') })),
    code: 'lock_below_floor',
    index: 10,
    names: 'the genesis promises 30 days',
  },
  {
    name: 'a lock of a payload object that is a day short of its floor',
    tamper: resigned(4, withPayloadLock(untilDay('2026-12-20'))),
    code: 'lock_below_floor',
    index: 4,
    names: '/payload/',
  },
  {
    name: 'a policy that states no floor of content',
    tamper: otherGenesis({
      policy: { ...TEST_POLICY, archive_days: { proof: 30, facts: 30, person: 30 } },
    } as unknown as Partial<LogGenesis>),
    code: 'genesis_malformed',
    index: null,
    names: GENESIS,
  },
  {
    name: 'locks of a weaker mode than the genesis promises',
    tamper: otherGenesis({ policy: { ...TEST_POLICY, lock_mode: 'compliance' } }),
    code: 'lock_below_floor',
    index: 0,
    names: 'in mode compliance',
  },
  {
    name: 'a genesis under a lock that is shorter than it promises',
    tamper: otherGenesis({ lock: untilDay('2026-12-20') }),
    code: 'lock_below_floor',
    index: null,
    names: GENESIS,
  },
  {
    name: 'a bundle sealed on a day that does not exist',
    tamper: resigned(10, () => ({ integrated_at: '2027-02-31T09:00:00.000Z' })),
    code: 'bundle_malformed',
    index: 10,
  },
  {
    name: 'a bundle locked until an hour that does not exist',
    tamper: resigned(10, () => ({ lock: { ...testLock(), retain_until: '2033-01-01T24:00:00.000Z' } })),
    code: 'bundle_malformed',
    index: 10,
  },
  {
    name: 'a genesis of a day that does not exist',
    tamper: otherGenesis({ created_at: '2026-02-29T09:00:00.000Z' }),
    code: 'genesis_malformed',
    index: null,
  },
  {
    name: 'a lock file with a day that does not exist',
    tamper: (dir) =>
      changeLock(dir, bundleKey('p0', 10), () => ({ retain_until: '2033-02-31T09:00:00.000Z' })),
    code: 'lock_damaged',
    index: 10,
  },
];

describeArchiveCases('promises and times that the key signed', PROMISES);

it('a log whose genesis was exchanged for another of the same key does not start', async () => {
  const archive = createMemoryArchive();
  const options = await createTestLog({ archive, records: createMemoryRecordStore(), signer: LOG_SIGNER });
  const ledger = await openLedger(options);
  await (
    await ledger.append({ records: [testRecord(0)], next_offset: 1n, duplicate_count: 0 })
  ).published;
  const second = await signedGenesis(archive.objects.get(GENESIS)!, {
    created_at: '2026-11-20T09:00:00.000Z',
  });
  archive.objects.set(GENESIS, formatGenesis(second));
  await expect(openLedger(options)).rejects.toMatchObject({
    code: 'START_REFUSED',
    detail: expect.stringContaining('it was replaced') as string,
  });
});
