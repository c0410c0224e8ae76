/** A person whose keys were destroyed: nothing reads what was theirs, and everything else stays. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocalArchive } from '../../../store/archive/local/archive.ts';
import { frameKeyAddress } from '../../../store/chain/frame.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { readSealedBundle } from '../../../store/ledger/sealed-parts.ts';
import { toRows } from '../../../store/records/record-row.ts';
import type { RecordRow } from '../../../store/records/record-store.ts';
import type { LedgerOptions } from '../../../store/ledger/options.ts';
import type { FindKeys } from '../../../store/verify/framed-payloads.ts';
import { verifyArchive } from '../../../store/verify/verify-archive.ts';
import { appendWhole, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryKeyStore, type MemoryKeyStore } from '../../support/memory-key-store.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';
import { makeTempDir } from '../../support/server.ts';
import { readBundle } from '../../tamper/forge.ts';

const [ALICE, BOB] = ['a'.repeat(64), 'b'.repeat(64)];
const OWNERS = [ALICE, BOB, null];
const STARTS = [0, 9, 18];

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let keys: MemoryKeyStore;
let alice: string;
let options: LedgerOptions;

/** Three bundles of nine records: of each owner three, with person and content; those of nobody have no person. */
beforeEach(async () => {
  folder = await makeTempDir();
  keys = createMemoryKeyStore();
  const archive = await openLocalArchive({ dir: folder.path, clock: Date.now });
  options = await createTestLog({ archive, dataKeys: keys, records: createMemoryRecordStore() });
  const ledger = await openLedger(options);
  for (const start of STARTS) {
    const records = Array.from({ length: 9 }, (_, n) => {
      const owner = OWNERS[n % 3] ?? null;
      return testRecord(start + n, {
        subject: owner,
        key_owner: owner,
        person: owner === null ? null : { claimed_user: `${owner.slice(0, 3)}@example.com` },
        content: { prompt: `said by ${String(owner)}` },
      });
    });
    await appendWhole(ledger, { records, next_offset: BigInt(start + 9), duplicate_count: 0 });
  }
  await archive.close();
  [alice = ''] = await keys.subjects([ALICE]);
});
afterEach(() => folder.remove());

/** Seals one more bundle of two records about Alice: under her key, unless another owner is given. */
async function sealMore(keyOwner: string) {
  const archive = await openLocalArchive({ dir: folder.path, clock: Date.now });
  const ledger = await openLedger({ ...options, archive });
  const records = [27, 28].map((n) =>
    testRecord(n, { subject: ALICE, key_owner: keyOwner, person: { claimed_user: 'alice' }, content: { n } }),
  );
  await appendWhole(ledger, { records, next_offset: 30n, duplicate_count: 0 });
  await archive.close();
}

async function readRows(): Promise<RecordRow[]> {
  const archive = await openLocalArchive({ dir: folder.path, clock: Date.now });
  const rows: RecordRow[] = [];
  let chain: Uint8Array = new Uint8Array(32);
  for (const start of STARTS) {
    const bundle = await readSealedBundle({ archive, dataKeys: keys }, 'p0', start);
    rows.push(...toRows(bundle, chain));
    chain = Buffer.from(bundle.header.chain_head, 'hex');
  }
  await archive.close();
  return rows;
}

const verify = () => verifyArchive({ dir: folder.path, findKeys: keys.find });

describe('an erased person', () => {
  it('is unreadable in every object, and no other part of any record is', async () => {
    const before = await readRows();
    expect(before.every(({ content }) => content !== '')).toBe(true);
    keys.destroySubject(alice);
    const after = await readRows();
    const expected = before.map(({ claimed_user, ...row }, index) =>
      index % 3 === 0
        ? { ...row, person: '', person_secret: '', content: '', content_secret: '' }
        : { ...row, claimed_user },
    );
    expect(after).toEqual(expected);
  });

  it('leaves an archive that verifies, opened and sealed, and says how much is erased', async () => {
    const whole = await verify();
    expect(whole).toMatchObject({
      ok: true,
      disclosure: 'opened',
      // Facts; person and content of two people; content of nobody.
      frames: { opened: 3 * 6, sealed: 0, destroyed: 0 },
    });
    keys.destroySubject(alice);
    const { root_hash } = whole;
    expect(await verify()).toMatchObject({
      ok: true,
      root_hash,
      disclosure: 'opened_except_erased',
      frames: { opened: 3 * 4, sealed: 0, destroyed: 3 * 2 },
      failures: [],
    });
    expect(await verifyArchive({ dir: folder.path })).toMatchObject({
      ok: true,
      root_hash,
      disclosure: 'sealed',
      frames: { opened: 0, sealed: 3 * 6, destroyed: 0 },
    });
  });

  it('has nothing under the key of another owner: a writer that did so is found out, opened and sealed', async () => {
    await sealMore(BOB);
    for (const findKeys of [keys.find, undefined]) {
      const { failures } = await verifyArchive({ dir: folder.path, findKeys });
      expect(failures[0]).toMatchObject({ code: 'payload_mismatch', index: 27 });
      expect(failures[0]?.detail).toContain(`parts too few of content/content of ${alice}`);
    }
  });

  it('is told from facts that were destroyed: facts name nobody, and stay', async () => {
    const findKeys: FindKeys = async (addresses) =>
      (await keys.find(addresses)).map((key, at) =>
        addresses[at]?.retention_class === 'facts' ? 'destroyed' : key,
      );
    const report = await verifyArchive({ dir: folder.path, findKeys });
    expect(new Set(report.failures.map(({ code }) => code))).toEqual(new Set(['key_missing']));
  });

  it('is told from a key that was lost', async () => {
    const { header, frames } = await readBundle(folder.path, 9);
    const lost = frames.find(({ subject }) => subject === alice)!;
    keys.lose(frameKeyAddress(header, lost));
    const report = await verify();
    expect(report.ok).toBe(false);
    expect(new Set(report.failures.map(({ code }) => code))).toEqual(new Set(['key_missing']));
    await expect(readRows()).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });

  it('has another surrogate afterwards, so that new records lie under a new key', async () => {
    keys.destroySubject(alice);
    expect(await keys.subjects([ALICE])).not.toEqual([alice]);
  });
});
