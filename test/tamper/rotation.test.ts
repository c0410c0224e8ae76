/** A log that changed its key twice, and what a writer with one of the keys, or with none, can do to it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleHeader } from '../../schemas/bundle.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import { cutBundle } from '../../store/chain/bundle-bytes.ts';
import { headerMessage } from '../../store/chain/bundle-signature.ts';
import { checkpointText } from '../../store/chain/checkpoint.ts';
import { bundleKey, checkpointKey } from '../../store/chain/layout.ts';
import { formatNote, parseNote, parseVkey } from '../../store/chain/note.ts';
import type { Signer } from '../../store/keys/signer.ts';
import { draftBundle, createBundle } from '../../store/ledger/commit.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import { recoverHead } from '../../store/ledger/recovery.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { startThreads } from '../../store/verify/bundle-threads.ts';
import { mixedRecord, removeObject, replaceObject } from '../support/archive-folder.ts';
import { toBundle } from '../support/bundle-file.ts';
import { BUNDLE_WORKER, entryOf } from '../support/bundle-worker.ts';
import { appendWhole, createTestLog, createTestSigner, packageSignerOf } from '../support/ledger.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { keyRotated, rotateKey } from '../support/rotated-log.ts';
import { copyOf, cutBackTo, keptAt, readBundle, signHead } from './forge.ts';

const [first, second, third] = Array.from({ length: 3 }, () => createTestSigner()) as [
  Signer,
  Signer,
  Signer,
];
const clock = () => Date.parse('2026-11-21T09:00:00.000Z');

async function append(options: LedgerOptions, from: number, count: number): Promise<void> {
  const ledger = await openLedger(options);
  const records = Array.from({ length: count }, (_, n) => mixedRecord(from + n));
  await appendWhole(ledger, { records, next_offset: ledger.nextOffset() + 1n, duplicate_count: 0 });
}

/** Bundles at 0, 4 and 10 by the first key, at 11 and 16 by the second, at 17 by the third; the log ends at 20. */
async function sealRotated() {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-tamper-'));
  const archive = await openLocalArchive({ dir, clock });
  const records = createMemoryRecordStore();
  const options = await createTestLog({ archive, records, signer: first, clock });
  await append(options, 0, 4);
  await append(options, 100, 6);
  await rotateKey(options, second, 1_000);
  await append({ ...options, signer: second }, 200, 5);
  await rotateKey({ ...options, signer: second }, third, 2_000);
  await append({ ...options, signer: third }, 300, 3);
  return { dir, options };
}

let sealed: Awaited<ReturnType<typeof sealRotated>>;
let copy: Awaited<ReturnType<typeof copyOf>>;
beforeAll(async () => {
  sealed = await sealRotated();
});
afterAll(() => rm(sealed.dir, { recursive: true, force: true }));

async function verifyAfter(
  tamper: (dir: string) => Promise<unknown>,
  options: Partial<Parameters<typeof verifyArchive>[0]> = {},
): Promise<VerificationReport> {
  copy = await copyOf(sealed.dir);
  try {
    await tamper(copy.dir);
    return await verifyArchive({ dir: copy.dir, ...options });
  } finally {
    await copy.dispose();
  }
}

const untouched = () => Promise.resolve();

/** Puts another header in place, signed by this key, with a lock file that fits. */
async function resign(dir: string, start: number, signer: Signer, change: Partial<BundleHeader> | 'unnamed') {
  const { header, frames, leafTexts } = await readBundle(dir, start);
  const frameTexts = frames.map((frame) => JSON.stringify(frame));
  const members = Object.entries({ ...header, ...(change === 'unnamed' ? {} : change) });
  const dropped = new Set(change === 'unnamed' ? ['signature', 'rotated_at'] : ['signature']);
  const changed = Object.fromEntries(members.filter(([name]) => !dropped.has(name)));
  const packed = await toBundle(changed as unknown as BundleHeader, { frameTexts, leafTexts });
  const unsigned = JSON.parse(Buffer.from(cutBundle(packed).headerLine).toString()) as BundleHeader;
  const signature = Buffer.from(await signer.sign(headerMessage(unsigned))).toString('base64');
  const bytes = await toBundle({ ...unsigned, signature }, { frameTexts, leafTexts });
  await replaceObject(dir, bundleKey('p0', start), bytes);
}

/** The checkpoint of a size under other signature lines. */
async function signAgain(dir: string, size: number, by: readonly Signer[]): Promise<void> {
  const key = checkpointKey('p0', size);
  const { text } = parseNote(await readFile(join(dir, key), 'utf8'))!;
  const lines = by.map(async (signer) => {
    const { name, keyId } = parseVkey(signer.vkey)!;
    return { name, keyId, signature: await signer.sign(Buffer.from(text)) };
  });
  await replaceObject(dir, key, Buffer.from(formatNote(text, await Promise.all(lines))));
}

const codesOf = ({ failures }: VerificationReport) => failures.map(({ code }) => code);

describe('a log that changed its key', () => {
  it('verifies, with and without threads and keys', async () => {
    const expected = { ok: true, failures: [], notices: [], tree_size: 20, signed_tree_size: 20 };
    expect(await verifyAfter(untouched)).toMatchObject(expected);
    const findKeys = (asked: Parameters<LedgerOptions['dataKeys']['find']>[0]) =>
      sealed.options.dataKeys.find(asked);
    expect(await verifyAfter(untouched, { findKeys })).toMatchObject({ ...expected, disclosure: 'opened' });
    const bundles = [0, 4, 10, 11, 16, 17].map((start) => ({ dir: sealed.dir, log: 'p0', start }));
    const threads = startThreads(bundles, { threadCount: 2, entry: entryOf(BUNDLE_WORKER) });
    const lookAhead = () => threads;
    expect(await verifyArchive({ dir: sealed.dir, lookAhead })).toMatchObject(expected);
  });

  it('is pinned by each of its keys, and by no other', async () => {
    for (const { vkey } of [first, second, third]) {
      const report = await verifyAfter(untouched, { pinnedVkeys: [vkey] });
      expect(report).toMatchObject({ ok: true, anchoring: 'signed_by_pinned_key' });
    }
    const report = await verifyAfter(untouched, { pinnedVkeys: [createTestSigner().vkey] });
    expect(codesOf(report)).toEqual(['key_not_pinned']);
  });

  it('agrees with checkpoints that somebody kept under any of its keys', async () => {
    const kept = await Promise.all([4, 10, 11, 16, 17, 20].map((size) => keptAt(sealed.dir, size)));
    expect(await verifyAfter(untouched, { keptCheckpoints: kept })).toMatchObject({ ok: true, notices: [] });
  });

  it('contradicts a head that a key signed outside its term, or that only one of two keys signed', async () => {
    const [note16, note11] = await Promise.all([keptAt(sealed.dir, 16), keptAt(sealed.dir, 11)]);
    const heads = await Promise.all(
      [note16, note11].map(async ({ note }) => {
        const [, size, root] = parseNote(note)!.text.split('\n');
        const root_hash = Buffer.from(root!, 'base64').toString('hex');
        return signHead(first, { tree_size: Number(size), root_hash });
      }),
    );
    const report = await verifyAfter(untouched, {
      keptCheckpoints: heads.map((note, n) => ({ name: `head ${String(n)}`, note })),
    });
    expect(codesOf(report)).toEqual(['kept_checkpoint_other_key', 'kept_checkpoint_invalid']);
  });

  it('cut back to before the change is shown by a later key that was pinned, or a head that was kept', async () => {
    const cut = (dir: string) => cutBackTo(dir, 10);
    expect(await verifyAfter(cut, { pinnedVkeys: [first.vkey] })).toMatchObject({ ok: true, tree_size: 10 });
    expect(codesOf(await verifyAfter(cut, { pinnedVkeys: [second.vkey] }))).toEqual(['key_not_pinned']);
    const keptCheckpoints = [await keptAt(sealed.dir, 16)];
    expect(codesOf(await verifyAfter(cut, { keptCheckpoints }))).toEqual(['kept_checkpoint_other_key']);
  });

  it('may end in a change whose checkpoint was not written yet', async () => {
    const cut = async (dir: string) => {
      for (const key of [bundleKey('p0', 17), checkpointKey('p0', 20), checkpointKey('p0', 17)])
        await removeObject(dir, key);
      const { header } = await readBundle(sealed.dir, 17);
      for (const { key } of header.payloads) await removeObject(dir, key);
    };
    expect(await verifyAfter(cut)).toMatchObject({ ok: true, signed_tree_size: 16 });
    for (const { vkey } of [first, second, third])
      expect(await verifyAfter(cut, { pinnedVkeys: [vkey] })).toMatchObject({ ok: true });
  });
});

describe('a change of key is refused', () => {
  type Case = readonly [string, (dir: string) => Promise<unknown>, code: string, index: number | null];
  const cases: readonly Case[] = [
    [
      'that the next key did not sign: nobody can name the key that you pinned',
      (dir) => resign(dir, 10, first, { next_signature: '' }),
      'rotation_invalid',
      10,
    ],
    [
      'whose next key signed it for another genesis',
      (dir) => resign(dir, 10, first, { genesis_sha256: 'f'.repeat(64) }),
      'rotation_invalid',
      10,
    ],
    [
      'that holds a signature of a next key and names none',
      (dir) => resign(dir, 4, first, { next_signature: 'AAAA' }),
      'rotation_invalid',
      4,
    ],
    ['that the new key alone signed', (dir) => resign(dir, 10, second, {}), 'bundle_unsigned', 10],
    [
      'that names another key, signed by a stranger',
      (dir) => resign(dir, 10, third, { next_vkey: third.vkey }),
      'bundle_unsigned',
      10,
    ],
    [
      'that names another key, signed by the old one: what follows is of nobody',
      (dir) => resign(dir, 10, first, { next_vkey: createTestSigner().vkey }),
      'bundle_unsigned',
      11,
    ],
    ['under the old key alone', (dir) => signAgain(dir, 11, [first]), 'checkpoint_invalid', null],
    ['under the new key alone', (dir) => signAgain(dir, 11, [second]), 'checkpoint_invalid', null],
    [
      'with a third signature',
      (dir) => signAgain(dir, 11, [first, second, third]),
      'checkpoint_invalid',
      null,
    ],
    [
      'with its signatures exchanged',
      (dir) => signAgain(dir, 11, [second, first]),
      'checkpoint_invalid',
      null,
    ],
    [
      'that goes back to an earlier key',
      (dir) => resign(dir, 16, second, { next_vkey: first.vkey }),
      'rotation_invalid',
      16,
    ],
    [
      'to the key of another log',
      (dir) => resign(dir, 10, first, { next_vkey: createTestSigner('other.example/p0').vkey }),
      'rotation_invalid',
      10,
    ],
    [
      'in a bundle of records',
      (dir) => resign(dir, 4, first, { next_vkey: third.vkey }),
      'rotation_invalid',
      4,
    ],
    [
      'that names another key of packages, signed by the old one alone',
      (dir) => resign(dir, 10, first, { next_package_key: packageSignerOf(third).vkey }),
      'rotation_invalid',
      10,
    ],
    [
      'that names another key of packages, signed by nobody',
      async (dir) => {
        const { header, frames, leafTexts } = await readBundle(dir, 10);
        const changed = { ...header, next_package_key: packageSignerOf(third).vkey };
        const frameTexts = frames.map((frame) => JSON.stringify(frame));
        await replaceObject(dir, bundleKey('p0', 10), await toBundle(changed, { frameTexts, leafTexts }));
      },
      'bundle_unsigned',
      10,
    ],
    [
      'of packages alone',
      (dir) => resign(dir, 4, first, { next_package_key: packageSignerOf(third).vkey }),
      'rotation_invalid',
      4,
    ],
  ];

  it.each(cases)('%s', async (_, tamper, code, index) => {
    const report = await verifyAfter(tamper);
    expect(report).toMatchObject({ ok: false, anchoring: 'broken' });
    expect(report.failures.find((failure) => failure.code === code)?.index).toBe(index);
  });
});

describe('a bundle behind a change of key is refused', () => {
  const cases: readonly (readonly [string, (dir: string) => Promise<unknown>, string, number])[] = [
    ['that the old key signed', (dir) => resign(dir, 11, first, {}), 'bundle_unsigned', 11],
    [
      'that the old key signed as if nothing had changed',
      (dir) => resign(dir, 11, first, 'unnamed'),
      'bundle_unsigned',
      11,
    ],
    [
      'that the first of three keys signed',
      (dir) => resign(dir, 17, first, 'unnamed'),
      'bundle_unsigned',
      17,
    ],
    [
      'that does not say where its key was named',
      (dir) => resign(dir, 11, second, 'unnamed'),
      'rotation_invalid',
      11,
    ],
    [
      'that names another bundle',
      (dir) => resign(dir, 11, second, { rotated_at: 4 }),
      'rotation_invalid',
      11,
    ],
    [
      'that names an older change',
      (dir) => resign(dir, 17, third, { rotated_at: 10 }),
      'rotation_invalid',
      17,
    ],
  ];

  it.each(cases)('%s', async (_, tamper, code, index) => {
    const report = await verifyAfter(tamper);
    expect(report).toMatchObject({ ok: false, anchoring: 'broken' });
    expect(report.failures.find((failure) => failure.code === code)?.index).toBe(index);
  });

  it('and a checkpoint that the old key signed there', async () => {
    const report = await verifyAfter((dir) => signAgain(dir, 16, [first]));
    expect(codesOf(report)).toEqual(['checkpoint_other_key']);
  });

  it('but not for a change that is missing: then the gap is the failure, and nobody vouches behind it', async () => {
    const report = await verifyAfter((dir) => removeObject(dir, bundleKey('p0', 10)));
    expect(codesOf(report)).toContain('bundle_missing');
    expect(codesOf(report)).not.toContain('bundle_unsigned');
    expect(report.signed_tree_size).toBe(10);
  });
});

describe('the record of a change of key is refused', () => {
  /** A log whose change of key the holder of the old key made of another record. */
  async function rotatedWith(record: AuditRecord, next: Signer) {
    const dir = await mkdtemp(join(tmpdir(), 'affidavit-tamper-'));
    const archive = await openLocalArchive({ dir, clock });
    const records = createMemoryRecordStore();
    const options = await createTestLog({ archive, records, signer: first, clock });
    const head = await recoverHead(options);
    const batch = { records: [record], next_offset: 0n, duplicate_count: 0 };
    const changing = { ...options, nextSigner: next };
    const nextKeys = { vkey: next.vkey, packageKey: packageSignerOf(next).vkey };
    await createBundle(options, await draftBundle(changing, head, batch, nextKeys));
    return { dir, options, dispose: () => rm(dir, { recursive: true, force: true }) };
  }

  it('where it is of another type', async () => {
    const made = await rotatedWith(mixedRecord(1), second);
    const report = await verifyArchive({ dir: made.dir });
    await made.dispose();
    expect(report.failures).toMatchObject([{ code: 'rotation_invalid', index: 0 }]);
  });

  it('where it names other keys, once it is opened', async () => {
    for (const [old, next] of [
      [first, third],
      [third, second],
    ] as const) {
      const made = await rotatedWith(keyRotated(old, next), second);
      const sealedReport = await verifyArchive({ dir: made.dir });
      const findKeys = (asked: Parameters<LedgerOptions['dataKeys']['find']>[0]) =>
        made.options.dataKeys.find(asked);
      const opened = await verifyArchive({ dir: made.dir, findKeys });
      await made.dispose();
      expect(sealedReport.failures).toEqual([]);
      expect(opened.failures).toMatchObject([{ code: 'rotation_invalid', index: 0 }]);
    }
  });
});

it('an unsigned head of a rotated log is named as that', async () => {
  const head = checkpointText({ origin: first.name, tree_size: 11, root_hash: 'f'.repeat(64) });
  const report = await verifyAfter((dir) =>
    replaceObject(dir, checkpointKey('p0', 11), Buffer.from(`${head}\n`)),
  );
  expect(codesOf(report)).toEqual(['checkpoint_invalid']);
});
