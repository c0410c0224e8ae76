/** A log whose key was stolen, the log that continues it under a new key, and what the thief can do to either. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Continuation } from '../../schemas/bundle.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import { bundleKey, genesisKey } from '../../store/chain/layout.ts';
import { formatGenesis } from '../../store/chain/genesis.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import { startThreads } from '../../store/verify/bundle-threads.ts';
import { openFolderReader } from '../../store/verify/folder-reader.ts';
import { previousIn } from '../../store/verify/previous-archive.ts';
import { renderReport } from '../../store/verify/report.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { mixedRecord, removeObject, replaceObject } from '../support/archive-folder.ts';
import { BUNDLE_WORKER, entryOf } from '../support/bundle-worker.ts';
import {
  appendWhole,
  createMemoryGuard,
  createTestLog,
  createTestSigner,
  testGenesis,
  TEST_ORIGIN,
} from '../support/ledger.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { continuing, generationBegun } from '../support/next-generation.ts';
import { rotateKey } from '../support/rotated-log.ts';
import { copyOf, cutBackTo, keptAt } from './forge.ts';

const stolen = createTestSigner();
const first = createTestSigner();
const next = createTestSigner(`${TEST_ORIGIN}/g2`);
const clock = () => Date.parse('2026-11-21T09:00:00.000Z');
/** Ends of its bundles: 4, the change of key at 5, and 10, which somebody kept. Behind it lie 7 leaves of the thief. */
const TRUSTED = 10;

async function append(options: LedgerOptions, records: readonly AuditRecord[]): Promise<void> {
  const ledger = await openLedger(options);
  await appendWhole(ledger, { records, next_offset: ledger.nextOffset() + 1n, duplicate_count: 0 });
}

const some = (from: number, count: number) => Array.from({ length: count }, (_, n) => mixedRecord(from + n));

async function openTestLog(signer = first, continues?: Continuation, isSynthetic = false) {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-tamper-'));
  const archive = await openLocalArchive({ dir, clock });
  const parts = { archive, records: createMemoryRecordStore(), signer, clock };
  return {
    dir,
    options: await createTestLog({
      ...parts,
      isSynthetic,
      ...(continues === undefined ? {} : { continues }),
    }),
  };
}

async function sealPrevious() {
  const { dir, options } = await openTestLog();
  await append(options, some(0, 4));
  await rotateKey(options, stolen, 1_000);
  const after = { ...options, signer: stolen };
  await append(after, some(100, 5));
  await append(after, some(200, 3));
  return { dir, options: after };
}

/** The log that continues the one in `dir`, with this record at its beginning. */
async function sealNext(
  dir: string,
  size: number,
  begin = (continues: Continuation) => [generationBegun(continues)],
  { generation = 2, isSynthetic = false } = {},
) {
  const continues = await continuing(dir, size, generation);
  const made = await openTestLog(next, continues, isSynthetic);
  await append(made.options, begin(continues));
  await append(made.options, some(300, 4));
  return made;
}

/** The holder of the stolen key goes on with the log in a folder. No guard remembers what was signed before. */
async function forge(dir: string, records: readonly AuditRecord[]): Promise<void> {
  const archive = await openLocalArchive({ dir, clock });
  const guard = createMemoryGuard();
  await append({ ...previous.options, archive, guard, projections: [] }, records);
}

let previous: Awaited<ReturnType<typeof sealPrevious>>;
let current: Awaited<ReturnType<typeof sealNext>>;
beforeAll(async () => {
  previous = await sealPrevious();
  current = await sealNext(previous.dir, TRUSTED);
  await cutBackTo(previous.dir, TRUSTED);
  await forge(previous.dir, some(500, 7));
});
afterAll(async () => {
  for (const { dir } of [previous, current]) await rm(dir, { recursive: true, force: true });
});

const codesOf = ({ failures }: VerificationReport) => failures.map(({ code }) => code);

/** The verdict on the new archive, beside a copy of the old one that somebody tampered with. */
async function verifyBoth(
  tamper: (dir: string) => Promise<unknown> = () => Promise.resolve(),
  { dir = current.dir, options = {} }: { readonly dir?: string; readonly options?: object } = {},
): Promise<VerificationReport> {
  const copy = await copyOf(previous.dir);
  try {
    await tamper(copy.dir);
    const checkPrevious = previousIn(openFolderReader(copy.dir), options);
    return await verifyArchive({ dir, ...options, checkPrevious });
  } finally {
    await copy.dispose();
  }
}

describe('a log that continues another one under a new key', () => {
  it('verifies by itself, and says which log it continues and from where on', async () => {
    const report = await verifyArchive({ dir: current.dir, pinnedVkeys: [next.vkey] });
    const { note } = await keptAt(previous.dir, TRUSTED);
    expect(report).toMatchObject({
      ok: true,
      anchoring: 'signed_by_pinned_key',
      tree_size: 5,
      continues: [
        {
          origin: next.name,
          generation: 2,
          previous_origin: TEST_ORIGIN,
          trusted_tree_size: TRUSTED,
          trusted_root_hash: Buffer.from(note.split('\n')[2]!, 'base64').toString('hex'),
        },
      ],
    });
    expect(renderReport(report)).toContain(`generation 2, continues ${TEST_ORIGIN}, trusted up to 10 leaves`);
    expect((await verifyArchive({ dir: previous.dir })).continues).toEqual([]);
  });

  it('does so with threads and with keys', async () => {
    const bundles = [0, 1].map((start) => ({ dir: current.dir, log: 'p0', start }));
    const threads = startThreads(bundles, { threadCount: 2, entry: entryOf(BUNDLE_WORKER) });
    const lookAhead = () => threads;
    expect(await verifyArchive({ dir: current.dir, lookAhead })).toMatchObject({ ok: true });
    const { dataKeys } = current.options;
    const opened = await verifyArchive({ dir: current.dir, findKeys: (asked) => dataKeys.find(asked) });
    expect(opened).toMatchObject({ ok: true, disclosure: 'opened' });
  });

  it.each([
    ['of another type', () => [mixedRecord(1)]],
    ['with others beside it', (continues: Continuation) => [generationBegun(continues), mixedRecord(1)]],
    [
      'that another source made',
      (continues: Continuation) => [generationBegun(continues, { source: 'native' })],
    ],
  ])('is refused with a first record %s', async (_, begin) => {
    const made = await sealNext(previous.dir, TRUSTED, begin);
    const report = await verifyArchive({ dir: made.dir });
    await rm(made.dir, { recursive: true });
    expect(report.failures).toMatchObject([{ code: 'continuation_invalid', index: 0 }]);
  });

  it('is refused with a first record that says something else, once it is opened', async () => {
    const made = await sealNext(previous.dir, TRUSTED, (continues) => [
      generationBegun({ ...continues, generation: 3 }),
    ]);
    const { dataKeys } = made.options;
    const sealedReport = await verifyArchive({ dir: made.dir });
    const opened = await verifyArchive({ dir: made.dir, findKeys: (asked) => dataKeys.find(asked) });
    await rm(made.dir, { recursive: true });
    expect(sealedReport.failures).toEqual([]);
    expect(opened.failures).toMatchObject([{ code: 'continuation_invalid', index: 0 }]);
  });

  it('is refused where its genesis names itself, or a head that is none', async () => {
    const continues = await continuing(previous.dir, TRUSTED);
    for (const bad of [
      { ...continues, origin: next.name },
      { ...continues, origin: 'other.example/p0' },
      { ...continues, checkpoint: 'nothing' },
    ]) {
      const made = await openTestLog(next, bad);
      const report = await verifyArchive({ dir: made.dir });
      await rm(made.dir, { recursive: true });
      expect(codesOf(report)).toContain('genesis_malformed');
    }
  });
});

describe('the archive of the generation before', () => {
  it('holds the trusted leaves, and what lies behind them is counted and not judged', async () => {
    const { dataKeys } = previous.options;
    for (const options of [
      {},
      { findKeys: (asked: Parameters<typeof dataKeys.find>[0]) => dataKeys.find(asked) },
    ]) {
      const report = await verifyBoth(undefined, { options });
      expect(report.failures).toEqual([]);
      expect(report.notices).toMatchObject([
        { code: 'untrusted_tail', detail: expect.stringContaining('7 leaves of p0') as string },
      ]);
    }
  });

  it('has no tail where nobody forged one', async () => {
    const report = await verifyBoth((dir) => cutBackTo(dir, TRUSTED));
    expect(report).toMatchObject({ ok: true, notices: [] });
  });

  it('may hold any bytes behind the trusted head', async () => {
    const report = await verifyBoth((dir) => replaceObject(dir, bundleKey('p0', TRUSTED), Buffer.from('x')));
    expect(report).toMatchObject({ ok: true, notices: [{ code: 'untrusted_tail' }] });
  });

  type Case = readonly [string, (dir: string) => Promise<unknown>, string];
  const cases: readonly Case[] = [
    [
      'whose trusted leaves the thief wrote again',
      async (dir) => {
        await cutBackTo(dir, 5);
        await forge(dir, some(900, 5));
      },
      'log_equivocation',
    ],
    ['that lacks a bundle below the head', (dir) => removeObject(dir, bundleKey('p0', 4)), 'bundle_missing'],
    ['that was cut back to before the head', (dir) => cutBackTo(dir, 5), 'log_truncated'],
    [
      'whose genesis was exchanged',
      async (dir) => {
        const genesis = { ...(await testGenesis(first, true)) };
        await replaceObject(dir, genesisKey('p0'), formatGenesis(genesis));
      },
      'previous_other',
    ],
    ['without the log', (dir) => rm(join(dir, 'log'), { recursive: true }), 'previous_missing'],
  ];

  it.each(cases)('is refused %s', async (_, tamper, code) => {
    const report = await verifyBoth(tamper);
    expect(report.ok).toBe(false);
    expect(codesOf(report)).toContain(code);
    expect(report.failures.every(({ detail }) => detail.startsWith('in the previous archive: '))).toBe(true);
  });

  it('is named by the new one, or nothing connects the two', async () => {
    expect(codesOf(await verifyBoth(undefined, { dir: previous.dir }))).toEqual(['previous_not_named']);
  });

  it.each([
    ['two generations later', { generation: 3 }, 'generation'],
    ['with another mark, which would wash off the one for good', { isSynthetic: true }, 'synthetic'],
  ])('is not continued %s', async (_, over, detail) => {
    const made = await sealNext(previous.dir, TRUSTED, undefined, over);
    const report = await verifyBoth(undefined, { dir: made.dir });
    await rm(made.dir, { recursive: true });
    expect(codesOf(report)).toEqual(['previous_other']);
    expect(report.failures[0]!.detail).toContain(detail);
  });

  it('may have no trusted leaf at all', async () => {
    const made = await sealNext(previous.dir, 0);
    const report = await verifyBoth(undefined, { dir: made.dir });
    await rm(made.dir, { recursive: true });
    expect(report).toMatchObject({
      ok: true,
      continues: [{ trusted_tree_size: 0, trusted_root_hash: null }],
      notices: [{ code: 'untrusted_tail', detail: expect.stringContaining('17 leaves') as string }],
    });
    expect(renderReport(report)).toContain('of which nothing is trusted');
  });
});
