import { describe, expect, it } from 'vitest';
import type { BundleHeader } from '../../../schemas/bundle.ts';
import { cutBundle, decodeBundle } from '../../../store/chain/bundle-bytes.ts';
import { headerMessage } from '../../../store/chain/bundle-signature.ts';
import { bundleKey, checkpointKey } from '../../../store/chain/layout.ts';
import { parseNote, parseVkey } from '../../../store/chain/note.ts';
import type { Signer } from '../../../store/keys/signer.ts';
import { openArchivedLog, readLogKeys } from '../../../store/ledger/archived-log.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import type { LedgerOptions } from '../../../store/ledger/options.ts';
import { draftRotation } from '../../../store/ledger/rotate-key.ts';
import { createRowsProjection } from '../../../store/projections/rows.ts';
import { createTilesProjection } from '../../../store/projections/tiles.ts';
import { toBundle } from '../../support/bundle-file.ts';
import { createFaultPlan, type Fault, type FaultPlan } from '../../support/faults.ts';
import {
  appendWhole,
  createMemoryGuard,
  createTestLog,
  createTestSigner,
  testRecord,
} from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';
import { keyRotated, rotateKey } from '../../support/rotated-log.ts';

async function setUp(faults?: FaultPlan) {
  const archive = createMemoryArchive(faults);
  const store = createMemoryRecordStore(faults);
  const old = createTestSigner();
  const next = createTestSigner();
  const made = await createTestLog({
    archive,
    records: store,
    signer: old,
    guard: createMemoryGuard(faults),
  });
  /** A process that just started with this key. */
  const start = (signer: Signer): LedgerOptions => ({
    ...made,
    signer,
    projections: [createRowsProjection(store), createTilesProjection({ log: 'p0', archive })],
  });
  const seal = async (signer: Signer, from: number, count: number) => {
    const ledger = await openLedger(start(signer));
    const records = Array.from({ length: count }, (_, n) => testRecord(from + n));
    await appendWhole(ledger, { records, next_offset: BigInt(from + count), duplicate_count: 0 });
    return ledger;
  };
  const headerAt = (at: number) => {
    const { headerText } = decodeBundle(archive.objects.get(bundleKey('p0', at))!);
    return JSON.parse(headerText) as BundleHeader;
  };
  const signersAt = (size: number) => {
    const bytes = archive.objects.get(checkpointKey('p0', size));
    return bytes && parseNote(Buffer.from(bytes).toString('utf8'))!.signatures.map(({ keyId }) => keyId);
  };
  return { archive, store, old, next, start, seal, headerAt, signersAt };
}

function without<K extends keyof BundleHeader>(header: BundleHeader, member: K): Omit<BundleHeader, K> {
  const kept = Object.entries(header).filter(([name]) => name !== member);
  return Object.fromEntries(kept) as unknown as Omit<BundleHeader, K>;
}

const idOf = ({ vkey }: Signer) => parseVkey(vkey)!.keyId;
const REFUSED = { code: 'START_REFUSED' };

describe('a log that changes its key', () => {
  it('ends the term of the old key with one record, and goes on under the new one', async () => {
    const { store, old, next, start, seal, headerAt } = await setUp();
    await seal(old, 0, 5);
    expect(await rotateKey(start(old), next)).toEqual({ isResumed: false, tree_size: 6 });
    const ledger = await seal(next, 10, 3);
    expect(ledger.vkey).toBe(next.vkey);
    expect(headerAt(0)).not.toHaveProperty('rotated_at');
    expect(headerAt(5)).toMatchObject({ leaf_count: 1, next_vkey: next.vkey });
    expect(headerAt(5)).not.toHaveProperty('rotated_at');
    expect(headerAt(6)).toMatchObject({ leaf_count: 3, rotated_at: 5 });
    expect(headerAt(6)).not.toHaveProperty('next_vkey');
    expect(store.rows[5]).toMatchObject({ type: 'key.rotated', old_vkey: old.vkey, new_vkey: next.vkey });
  });

  it('keeps the place in the event log', async () => {
    const { old, next, start, seal } = await setUp();
    await seal(old, 0, 5);
    await rotateKey(start(old), next);
    expect((await openLedger(start(next))).nextOffset()).toBe(5n);
  });

  it('has one checkpoint under both keys, the old one first', async () => {
    const { old, next, start, seal, signersAt } = await setUp();
    await seal(old, 0, 5);
    await rotateKey(start(old), next);
    await seal(next, 10, 3);
    expect([5, 6, 9].map(signersAt)).toEqual([[idOf(old)], [idOf(old), idOf(next)], [idOf(next)]]);
  });

  it('may change it before its first record, and twice in a row', async () => {
    const { old, next, start, seal, headerAt, signersAt } = await setUp();
    const third = createTestSigner();
    await rotateKey(start(old), next);
    await rotateKey(start(next), third, 1);
    await seal(third, 0, 2);
    expect([headerAt(1).rotated_at, headerAt(2).rotated_at]).toEqual([0, 1]);
    expect(signersAt(2)).toEqual([idOf(next), idOf(third)]);
  });

  it('is opened with the new key alone from then on', async () => {
    const { old, next, start, seal } = await setUp();
    await seal(old, 0, 5);
    await expect(openLedger(start(next))).rejects.toMatchObject(REFUSED);
    await rotateKey(start(old), next);
    await expect(openLedger(start(old))).rejects.toMatchObject(REFUSED);
    const ledger = await openLedger(start(next));
    expect((await ledger.checkpoint())?.tree_size).toBe(6);
  });

  it('is read by a process that opened it before, and by one that opens it between', async () => {
    const { archive, old, next, start, seal } = await setUp();
    await seal(old, 0, 5);
    const clock = { nowMs: 1_000_000 };
    const open = async () =>
      openArchivedLog({
        log: 'p0',
        ...(await readLogKeys(archive, 'p0', old.name)),
        archive,
        clock: () => clock.nowMs,
      });
    const before = await open();
    await before.checkpoint();
    await rotateKey(start(old), next);
    const rotated = archive.objects.get(checkpointKey('p0', 6))!;
    archive.objects.delete(checkpointKey('p0', 6));
    const between = await open();
    expect((await between.checkpoint())?.tree_size).toBe(5);
    expect(between.vkey).toBe(old.vkey);
    archive.objects.set(checkpointKey('p0', 6), rotated);
    await seal(next, 10, 3);
    clock.nowMs += 1_000;
    for (const log of [before, between]) {
      expect((await log.checkpoint())?.tree_size).toBe(9);
      expect(log.vkey).toBe(next.vkey);
    }
  });

  it('derives its rows again from bundles of both keys', async () => {
    const { store, old, next, start, seal } = await setUp();
    await seal(old, 0, 5);
    await rotateKey(start(old), next);
    await seal(next, 10, 3);
    const rows = [...store.rows];
    await store.clear();
    await openLedger(start(next));
    expect(store.rows).toEqual(rows);
  });

  it('takes no record that names other keys than its signers', async () => {
    const { old, next, start } = await setUp();
    const record = keyRotated(old, createTestSigner());
    expect(() => draftRotation({ ...start(old), nextSigner: next }, record)).toThrow('names other keys');
  });
});

describe('a start refuses a log', () => {
  async function rotated() {
    const made = await setUp();
    await made.seal(made.old, 0, 5);
    await rotateKey(made.start(made.old), made.next);
    await made.seal(made.next, 10, 3);
    /** Puts another header in place, signed by this key. */
    const forge = async (at: number, signer: Signer, change: (header: BundleHeader) => BundleHeader) => {
      const key = bundleKey('p0', at);
      const { frameTexts, leafTexts } = decodeBundle(made.archive.objects.get(key)!);
      const packed = await toBundle(change(made.headerAt(at)), { frameTexts, leafTexts });
      const { headerLine } = cutBundle(packed);
      const named = JSON.parse(Buffer.from(headerLine).toString()) as BundleHeader;
      const header = without(named, 'signature');
      const signature = Buffer.from(await signer.sign(headerMessage(header))).toString('base64');
      made.archive.objects.set(key, await toBundle({ ...header, signature }, { frameTexts, leafTexts }));
    };
    return { ...made, forge };
  }

  it('whose newest bundle the old key signed, also where it claims to know of no change', async () => {
    const { next, old, start, forge } = await rotated();
    await forge(6, old, (header) => header);
    await expect(openLedger(start(next))).rejects.toMatchObject(REFUSED);
    await forge(6, old, (header) => without(header, 'rotated_at'));
    await expect(openLedger(start(next))).rejects.toMatchObject(REFUSED);
  });

  it('whose newest bundle names another place of the change', async () => {
    const { next, start, forge } = await rotated();
    for (const rotated_at of [0, 4, 6, 7]) {
      await forge(6, next, (header) => ({ ...header, rotated_at }));
      await expect(openLedger(start(next))).rejects.toMatchObject({ code: /START_REFUSED|ARCHIVE_DAMAGED/ });
    }
  });

  it('whose change of key the new key alone signed', async () => {
    const { next, start, forge } = await rotated();
    await forge(5, next, (header) => header);
    await expect(openLedger(start(next))).rejects.toMatchObject(REFUSED);
  });

  it('whose checkpoint at the change has not both signatures, where the old key is not there any more', async () => {
    const { archive, old, next, start, seal } = await setUp();
    await seal(old, 0, 5);
    await rotateKey(start(old), next);
    const key = checkpointKey('p0', 6);
    const note = Buffer.from(archive.objects.get(key)!).toString('utf8');
    const lines = note.trimEnd().split('\n');
    for (const kept of [lines.slice(0, -1), [...lines.slice(0, -2), lines.at(-1)!]]) {
      archive.objects.set(key, Buffer.from(`${kept.join('\n')}\n`));
      await expect(openLedger(start(next))).rejects.toMatchObject(REFUSED);
    }
    archive.objects.delete(key);
    await expect(openLedger(start(next))).rejects.toMatchObject({
      ...REFUSED,
      hint: expect.stringContaining('rotate-log-key') as string,
    });
  });
});

describe('a change of key that dies at any write', () => {
  const writes = ['payload', 'bundle', 'rows', 'guard', 'checkpoint'].flatMap((write) =>
    (['not-applied', 'applied'] as const).map((fault) => [write, fault] as const),
  );

  it.each(writes)('%s, %s, is completed by the next run', async (write: string, fault: Fault) => {
    const faults = createFaultPlan();
    const { store, old, next, start, seal, signersAt } = await setUp(faults);
    await seal(old, 0, 5);
    // The guard is asked for the head before the change first.
    faults.arm(write, fault, write === 'guard' || write === 'checkpoint' ? 2 : 1);
    await expect(rotateKey(start(old), next)).rejects.toBeDefined();
    expect(faults.fired).toBe(1);
    // A start with one key alone opens the log or refuses it; it never seals a second history.
    const opened = await Promise.allSettled([openLedger(start(old)), openLedger(start(next))]);
    expect(opened.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2);
    const { tree_size } = await rotateKey(start(old), next);
    expect(tree_size).toBe(6);
    expect(signersAt(6)).toEqual([idOf(old), idOf(next)]);
    await seal(next, 10, 3);
    expect(store.rows.filter(({ type }) => type === 'key.rotated')).toHaveLength(1);
    expect(store.rows.map(({ leaf_index }) => leaf_index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('loses the race where another process seals, and has changed nothing', async () => {
    const { archive, old, next, start, seal } = await setUp();
    await seal(old, 0, 5);
    const racing = { ...start(old), nextSigner: next };
    const put: typeof archive.put = async (key, ...rest) => {
      if (key === bundleKey('p0', 5)) await seal(old, 20, 2);
      return archive.put(key, ...rest);
    };
    await expect(rotateKey({ ...racing, archive: { ...archive, put } }, next)).rejects.toMatchObject({
      code: 'LEDGER_LOST_RACE',
    });
    await seal(old, 30, 1);
    expect((await rotateKey(start(old), next)).tree_size).toBe(9);
  });
});
