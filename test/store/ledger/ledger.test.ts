import { describe, expect, it } from 'vitest';
import type { BundleHeader } from '../../../schemas/bundle.ts';
import type { AuditRecord } from '../../../schemas/record.ts';
import { cutBundle, decodeBundle } from '../../../store/chain/bundle-bytes.ts';
import { toBundle } from '../../support/bundle-file.ts';
import { openCheckpoint } from '../../../store/chain/checkpoint.ts';
import { bundleKey, genesisKey } from '../../../store/chain/layout.ts';
import { inclusionProof, leafHash, rootOf } from '../../../store/chain/merkle.ts';
import { parseVkey } from '../../../store/chain/note.ts';
import { openLedger, type Ledger } from '../../../store/ledger/ledger.ts';
import type { LedgerOptions } from '../../../store/ledger/options.ts';
import { createRowsProjection } from '../../../store/projections/rows.ts';
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
import { verifyWithSigstore } from '../../support/sigstore.ts';

const records = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => testRecord(from + n));
const batch = (from: number, count: number) => ({
  records: records(from, count),
  next_offset: BigInt(from + count),
  duplicate_count: 0,
});

async function setUp(faults?: FaultPlan) {
  const archive = createMemoryArchive(faults);
  const store = createMemoryRecordStore(faults);
  const options = await createTestLog({ archive, records: store, guard: createMemoryGuard(faults) });
  return { archive, store, options };
}

/** What must hold of every log at rest: rows dense, chained, committed to by the published checkpoint. */
async function checkLog(
  ledger: Ledger,
  store: ReturnType<typeof createMemoryRecordStore>,
  ids: readonly string[],
) {
  expect(store.rows.map(({ id }) => id)).toEqual(ids);
  const hashes = store.rows.map(({ leaf }) => leafHash(Buffer.from(leaf)));
  const checkpoint = (await ledger.checkpoint())!;
  expect(openCheckpoint(checkpoint.note, parseVkey(ledger.vkey)!)).toEqual({
    origin: ledger.origin,
    tree_size: ids.length,
    root_hash: Buffer.from(rootOf(hashes)).toString('hex'),
  });
}

/** Does what the sequencer does: after a failure recover, skip what is sealed, go on from the ledger's offset. */
async function sealAll(ledger: Ledger, batches: readonly ReturnType<typeof batch>[]): Promise<number> {
  let failures = 0;
  for (const next of batches) {
    for (let tries = 0; ledger.nextOffset() < next.next_offset; tries += 1) {
      expect(tries).toBeLessThan(4);
      try {
        await appendWhole(ledger, next);
      } catch {
        failures += 1;
        await ledger.recover().catch(() => ledger.recover());
      }
    }
  }
  return failures;
}

const idsOf = (all: readonly AuditRecord[]) => all.map(({ id }) => id);

describe('the ledger', () => {
  it('seals batches into one tree whose checkpoint commits to every row', async () => {
    const { store, options } = await setUp();
    const ledger = await openLedger(options);
    await appendWhole(ledger, batch(0, 7));
    await appendWhole(ledger, batch(7, 1));
    await appendWhole(ledger, batch(8, 20));
    expect(ledger.treeSize()).toBe(28);
    expect(ledger.nextOffset()).toBe(28n);
    await checkLog(ledger, store, idsOf(records(0, 28)));
  });

  it('keeps in the rows exactly the text that was hashed', async () => {
    const { store, options } = await setUp();
    const ledger = await openLedger(options);
    await appendWhole(ledger, batch(0, 5));
    expect(JSON.parse(store.rows[1]!.content)).toEqual(testRecord(1).content);
    expect(store.rows[1]!.content).toContain('é \u2028');
    expect(store.rows[0]!.content).toBe('');
  });

  it('makes proofs that @sigstore/verify accepts', async () => {
    const { store, options } = await setUp();
    const ledger = await openLedger(options);
    await appendWhole(ledger, batch(0, 37));
    const hashes = store.rows.map(({ leaf }) => leafHash(Buffer.from(leaf)));
    const { note } = (await ledger.checkpoint())!;
    for (const { leaf, leaf_index } of store.rows) {
      const path = inclusionProof(leaf_index, hashes);
      verifyWithSigstore({ vkey: ledger.vkey, note, leaf: Buffer.from(leaf), index: leaf_index, path });
    }
  });

  it('opens again where it ended', async () => {
    const { store, options } = await setUp();
    const first = await openLedger(options);
    await appendWhole(first, batch(0, 3));
    await appendWhole(first, batch(3, 4));
    const again = await openLedger(options);
    await appendWhole(again, batch(7, 2));
    await checkLog(again, store, idsOf(records(0, 9)));
  });

  it('writes nothing for a batch without records', async () => {
    const { archive, options } = await setUp();
    const ledger = await openLedger(options);
    const before = archive.objects.size;
    await appendWhole(ledger, { records: [], next_offset: 9n, duplicate_count: 9 });
    expect(archive.objects.size).toBe(before);
  });

  it('tells the size that it had while it is at work on the next batch, and after a failure', async () => {
    const { archive, options } = await setUp();
    const ledger = await openLedger(options);
    await appendWhole(ledger, batch(0, 7));
    const appending = ledger.append(batch(7, 1));
    expect([ledger.treeSize(), ledger.nextOffset()]).toEqual([7, 7n]);
    await (
      await appending
    ).published;
    expect([ledger.treeSize(), ledger.nextOffset()]).toEqual([8, 8n]);
    archive.objects.set(bundleKey('p0', 8), Buffer.from('of somebody else'));
    await expect(ledger.append(batch(8, 1))).rejects.toThrow();
    expect(ledger.treeSize()).toBe(8);
    await expect(ledger.append(batch(8, 1))).rejects.toMatchObject({ code: 'START_REFUSED' });
  });

  it('recreates an emptied record store from the archive, row for row', async () => {
    const { store, options } = await setUp();
    const ledger = await openLedger(options);
    await appendWhole(ledger, batch(0, 5));
    await appendWhole(ledger, batch(5, 6));
    const before = structuredClone(store.rows);
    await store.clear();
    const rebuilt = await openLedger(options);
    expect(store.rows).toEqual(before);
    await checkLog(rebuilt, store, idsOf(records(0, 11)));
  });
});

describe('two sequencers on one log', () => {
  it('cannot fork it: one creation wins and the other is told', async () => {
    const { store, options } = await setUp();
    const [one, two] = [await openLedger(options), await openLedger(options)];
    await appendWhole(one, batch(0, 3));
    await expect(appendWhole(two, batch(100, 3))).rejects.toMatchObject({ code: 'LEDGER_LOST_RACE' });
    await two.recover();
    expect(two.treeSize()).toBe(3);
    await checkLog(two, store, idsOf(records(0, 3)));
  });
});

describe('a ledger that is opened while another sequencer commits', () => {
  /** The other one appends a batch as soon as the last keys below this folder were listed. */
  async function openWhile(folder: string) {
    const { archive, store, options } = await setUp();
    const other = await openLedger(options);
    await appendWhole(other, batch(0, 3));
    let isDone = false;
    const list: typeof archive.list = async function* (prefix) {
      const keys: string[] = [];
      for await (const key of archive.list(prefix)) keys.push(key);
      if (prefix.includes(folder) && !isDone) {
        isDone = true;
        await appendWhole(other, batch(3, 2));
      }
      yield* keys;
    };
    // Another machine has a guard of its own.
    const guard = createMemoryGuard();
    const ledger = await openLedger({ ...options, archive: { ...archive, list }, guard });
    return { ledger, other, store };
  }

  it.each(['/bundle/', '/checkpoint/'])(
    'takes no bundle for missing that came after it listed %s',
    async (folder) => {
      const { ledger, other, store } = await openWhile(folder);
      expect(ledger.treeSize()).toBe(folder === '/bundle/' ? 3 : 5);
      await checkLog(other, store, idsOf(records(0, 5)));
    },
  );
});

describe('the commit protocol under faults', () => {
  const writes = ['payload', 'bundle', 'rows', 'guard', 'checkpoint'];
  const cases = writes.flatMap((write) =>
    (['not-applied', 'applied'] as Fault[]).map((fault) => ({ write, fault })),
  );

  it.each(cases)('loses and repeats nothing when $write fails and is $fault', async ({ write, fault }) => {
    const faults = createFaultPlan();
    const { store, options } = await setUp(faults);
    const ledger = await openLedger(options);
    await appendWhole(ledger, batch(0, 5));
    faults.arm(write, fault);
    const failures = await sealAll(ledger, [batch(5, 6), batch(11, 2)]);
    expect(failures).toBe(1);
    expect(faults.fired).toBe(1);
    await checkLog(ledger, store, idsOf(records(0, 13)));
  });

  it.each(cases)(
    'is finished by a new process when it dies as $write is $fault',
    async ({ write, fault }) => {
      const faults = createFaultPlan();
      const { store, options } = await setUp(faults);
      const dying = await openLedger(options);
      await appendWhole(dying, batch(0, 5));
      faults.arm(write, fault);
      await expect(appendWhole(dying, batch(5, 6))).rejects.toThrow();
      const next = await openLedger(options);
      await sealAll(next, [batch(5, 6), batch(11, 2)]);
      await checkLog(next, store, idsOf(records(0, 13)));
    },
  );
});

describe('a batch that is appended while the one before is being published', () => {
  /** A store whose inserts wait until they are let go. */
  async function setUpHeld() {
    const { archive, store, options } = await setUp();
    const held: (() => void)[] = [];
    const insert: typeof store.insert = async (...rows) => {
      await new Promise<void>((resolve) => held.push(resolve));
      await store.insert(...rows);
    };
    const ledger = await openLedger({
      ...options,
      projections: [createRowsProjection({ ...store, insert })],
    });
    const bundles = () => [...archive.objects.keys()].filter((key) => key.includes('/bundle/'));
    const payloads = () => [...archive.objects.keys()].filter((key) => key.includes('/payload/'));
    const letGo = () => held.splice(0).forEach((resolve) => resolve());
    return { archive, store, options, ledger, bundles, payloads, letGo };
  }
  const settle = () => new Promise((resolve) => setTimeout(resolve, 30));

  it('has its payload objects in the archive, and its bundle only once the other is published', async () => {
    const { ledger, bundles, payloads, letGo, store } = await setUpHeld();
    const first = await ledger.append(batch(0, 5));
    const second = ledger.append(batch(5, 6));
    await settle();
    expect(payloads()).toHaveLength(2);
    expect(bundles()).toEqual([bundleKey('p0', 0)]);
    expect(await ledger.checkpoint()).toBeUndefined();
    letGo();
    await first.published;
    expect((await ledger.checkpoint())?.tree_size).toBe(5);
    const { published } = await second;
    expect(bundles()).toEqual([bundleKey('p0', 0), bundleKey('p0', 5)]);
    await settle();
    letGo();
    await published;
    await checkLog(ledger, store, idsOf(records(0, 11)));
  });

  it('is not sealed yet for a new process, which finishes the other one', async () => {
    const { archive, ledger, options, store } = await setUpHeld();
    await ledger.append(batch(0, 5));
    void ledger.append(batch(5, 6));
    await settle();
    const found = createMemoryArchive();
    for (const [key, bytes] of archive.objects) found.objects.set(key, bytes);
    const next = await openLedger({ ...options, archive: found });
    expect(next.nextOffset()).toBe(5n);
    await appendWhole(next, batch(5, 6));
    await checkLog(next, store, idsOf(records(0, 11)));
  });

  it('is waited for by a recovery', async () => {
    const { ledger, letGo, store } = await setUpHeld();
    await ledger.append(batch(0, 5));
    const recovered = ledger.recover();
    await settle();
    expect(store.rows).toEqual([]);
    letGo();
    await recovered;
    await checkLog(ledger, store, idsOf(records(0, 5)));
  });

  it('fails with it, and both are sealed once after a recovery', async () => {
    const faults = createFaultPlan();
    const { store, options } = await setUp(faults);
    const ledger = await openLedger(options);
    faults.arm('rows', 'not-applied');
    const { published } = await ledger.append(batch(0, 5));
    await expect(ledger.append(batch(5, 6))).rejects.toThrow();
    await expect(published).rejects.toThrow();
    await expect(ledger.append(batch(5, 6))).rejects.toMatchObject({ code: 'START_REFUSED' });
    await ledger.recover();
    expect(ledger.nextOffset()).toBe(5n);
    await appendWhole(ledger, batch(5, 6));
    await checkLog(ledger, store, idsOf(records(0, 11)));
  });
});

describe('the ledger refuses to start', () => {
  async function sealedLog() {
    const parts = await setUp();
    const ledger = await openLedger(parts.options);
    await appendWhole(ledger, batch(0, 4));
    await appendWhole(ledger, batch(4, 4));
    return parts;
  }
  const without = (objects: Map<string, Uint8Array>, fragment: string) => {
    const key = [...objects.keys()].filter((candidate) => candidate.includes(fragment)).at(-1)!;
    objects.delete(key);
  };

  it.each<
    [string, string, (parts: Awaited<ReturnType<typeof sealedLog>>) => Partial<LedgerOptions> | undefined]
  >([
    [
      'a log that does not exist',
      'is not in the archive; check that the archive is mounted',
      ({ archive }) => (without(archive.objects, 'genesis'), {}),
    ],
    ['another signing key', 'signer is another', () => ({ signer: createTestSigner() })],
    [
      'a checkpoint ahead of the archive',
      'size 8',
      ({ archive }) => (without(archive.objects, 'bundle/'), {}),
    ],
    [
      'a guard ahead of a restored archive',
      'size 8',
      ({ archive }) => (without(archive.objects, 'bundle/'), without(archive.objects, 'checkpoint/'), {}),
    ],
    [
      'a record store ahead of the archive',
      'rebuild',
      ({ archive, options }) => {
        without(archive.objects, 'bundle/');
        without(archive.objects, 'checkpoint/');
        return { guard: createMemoryGuard(), clock: options.clock };
      },
    ],
  ])('on %s', async (_, message, spoil) => {
    const parts = await sealedLog();
    const changed = spoil(parts);
    await expect(openLedger({ ...parts.options, ...changed })).rejects.toMatchObject({
      code: 'START_REFUSED',
      message: expect.stringContaining(message) as string,
    });
  });

  it.each<[string, (header: BundleHeader) => BundleHeader]>([
    ['the next offset', (header) => ({ ...header, next_offset: '99' })],
    ['the time of integration', (header) => ({ ...header, integrated_at: '2026-11-21T08:59:00.000Z' })],
    ['the count of duplicates', (header) => ({ ...header, duplicate_count: 3 })],
    ['the signature', (header) => ({ ...header, signature: Buffer.alloc(64).toString('base64') })],
  ])('on a newest bundle in which somebody changed %s', async (_, change) => {
    const { archive, options } = await sealedLog();
    const key = bundleKey('p0', 4);
    const { headerText, ...lines } = decodeBundle(archive.objects.get(key)!);
    archive.objects.set(key, await toBundle(change(JSON.parse(headerText) as BundleHeader), lines));
    await expect(openLedger(options)).rejects.toMatchObject({
      code: 'START_REFUSED',
      message: expect.stringContaining('somebody else wrote or changed it') as string,
    });
  });

  it('on a bundle behind the newest checkpoint that was sealed with another key', async () => {
    const { archive, options, store } = await sealedLog();
    const other = createMemoryArchive();
    const ledger = await openLedger(
      await createTestLog({ archive: other, records: createMemoryRecordStore() }),
    );
    for (const from of [0, 4, 8]) await appendWhole(ledger, batch(from, 4));
    for (const [key, bytes] of other.objects) {
      if (key.includes('00000000000000000008') && !key.includes('checkpoint'))
        archive.objects.set(key, bytes);
    }
    await expect(openLedger(options)).rejects.toMatchObject({ code: 'START_REFUSED' });
    expect(store.rows).toHaveLength(8);
  });

  it.each<[string, (line: string) => string]>([
    ['a blank in it', (line) => line.replace('{', '{ ')],
    ['a member twice', (line) => line.replace('{', '{"duplicate_count":7,')],
    ['a carriage return at its end', (line) => `${line}\r`],
  ])('on a bundle whose signed header line has %s', async (_, respell) => {
    const { archive, options } = await sealedLog();
    const key = bundleKey('p0', 4);
    const { headerLine, lines } = cutBundle(archive.objects.get(key)!);
    const line = respell(Buffer.from(headerLine).toString());
    archive.objects.set(key, Buffer.concat([Buffer.from(`${line}\n`), lines]));
    await expect(openLedger(options)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });

  it.each<[string, (line: string) => string]>([
    ['a blank in it', (line) => line.replace('{', '{ ')],
    ['a member twice', (line) => line.replace('{', '{"synthetic":true,')],
    ['no newline at its end', (line) => line.trimEnd()],
  ])('on a genesis with %s', async (_, respell) => {
    const { archive, options } = await sealedLog();
    const key = genesisKey('p0');
    const line = Buffer.from(archive.objects.get(key)!).toString();
    archive.objects.set(key, Buffer.from(respell(line)));
    await expect(openLedger(options)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });

  it('on a rebuild from a bundle whose leaves are not those that its signed header names', async () => {
    const { archive, options, store } = await sealedLog();
    const key = bundleKey('p0', 4);
    const { headerText, frameTexts, leafTexts } = decodeBundle(archive.objects.get(key)!);
    const header = JSON.parse(headerText) as BundleHeader;
    archive.objects.set(key, await toBundle(header, { frameTexts, leafTexts: leafTexts.toReversed() }));
    await store.clear();
    await expect(openLedger(options)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });

  it('and does not append after a failure that was not recovered', async () => {
    const faults = createFaultPlan();
    const { options } = await setUp(faults);
    const ledger = await openLedger(options);
    faults.arm('bundle', 'not-applied');
    await expect(appendWhole(ledger, batch(0, 2))).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
    await expect(appendWhole(ledger, batch(0, 2))).rejects.toMatchObject({ code: 'START_REFUSED' });
  });
});
