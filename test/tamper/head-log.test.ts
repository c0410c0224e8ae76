/** The head log against the logs that it names: logs that are gone, cut back, rebuilt or unknown. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HEAD_LOG, type HeadEntry, type NamedHead } from '../../schemas/head-entry.ts';
import type { FailureCode } from '../../schemas/verification-failures.ts';
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import { bundleKey, checkpointKey } from '../../store/chain/layout.ts';
import { createFindings } from '../../store/verify/report.ts';
import { HeadLogCheck } from '../../store/verify/head-log.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { removeObject } from '../support/archive-folder.ts';
import { BEGUN_MS, MINUTE_MS, openHeadLogDeployment, type HeadLogDeployment } from '../support/head-log.ts';
import { createTestLog, createTestSigner } from '../support/ledger.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { cutBackTo } from './forge.ts';

const HOUR_MS = 60 * MINUTE_MS;
const UNKNOWN: NamedHead = {
  log: 'p7',
  origin: 'test.example/affidavit/p7',
  tree_size: 9,
  root_hash: 'a'.repeat(64),
  note_sha256: 'b'.repeat(64),
};

let dir: string;
let deployment: HeadLogDeployment;

/** p0 ends at 9 in two bundles, and the head log has named both ends. */
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'affidavit-heads-'));
  const clock = () => BEGUN_MS;
  deployment = await openHeadLogDeployment(await openLocalArchive({ dir, clock }));
  await deployment.tell();
  for (const count of [4, 5]) {
    await deployment.seal(count);
    await deployment.tell();
  }
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const failures = async () => (await verifyArchive({ dir })).failures;
const codes = async () => (await failures()).map(({ code }) => code);
const pathOf = (log: string) => join(dir, 'log', log);

describe('an archive of which little is left', () => {
  const emptied = async (log: string) => {
    for (const folder of ['bundle', 'checkpoint']) await rm(join(pathOf(log), folder), { recursive: true });
  };

  it('holds nothing to verify where no log of records is left beside the head log', async () => {
    await rm(pathOf('p0'), { recursive: true });
    await emptied(HEAD_LOG);
    expect(await codes()).toEqual(['nothing_to_verify']);
  });

  it('lacks the log whose key was pinned', async () => {
    const other = createTestSigner('test.example/affidavit/p1');
    const pinnedVkeys = [deployment.ledger.vkey, other.vkey];
    const report = await verifyArchive({ dir, pinnedVkeys });
    expect(report.failures).toMatchObject([
      { code: 'log_missing', detail: expect.stringContaining('p1') as string },
    ]);
    // The head log is a log too, so its key may be pinned beside.
    const both = [deployment.ledger.vkey, deployment.headSigner.vkey];
    expect((await verifyArchive({ dir, pinnedVkeys: both })).failures).toEqual([]);
  });

  it('says that the head log holds no entry beside a log that was sealed', async () => {
    await emptied(HEAD_LOG);
    expect(await verifyArchive({ dir })).toMatchObject({ ok: true, notices: [{ code: 'head_log_behind' }] });
  });
});

describe('the head log in an archive', () => {
  it('agrees with the log that it names, and is none of the logs of records', async () => {
    const pinnedVkeys = [deployment.ledger.vkey];
    expect(await verifyArchive({ dir, pinnedVkeys })).toMatchObject({
      ok: true,
      anchoring: 'signed_by_pinned_key',
      tree_size: 9,
      signed_tree_size: 9,
      root_hash: (await deployment.head()).root_hash,
      head_log: { entry_count: 3, taken_at: '2026-11-21T09:03:00.000Z' },
      failures: [],
      notices: [],
    });
  });

  it('shows that a log is gone, whole', async () => {
    await rm(pathOf('p0'), { recursive: true });
    expect(await failures()).toMatchObject([
      { code: 'log_missing', detail: expect.stringContaining('p0 of 9 leaves') as string },
    ]);
  });

  it('shows that a log which was empty is gone', async () => {
    await deployment.tell({
      log: 'p1',
      origin: 'test.example/p1',
      tree_size: 0,
      root_hash: UNKNOWN.root_hash,
    });
    expect(await codes()).toEqual(['log_missing']);
  });

  it('is missed itself, because the genesis of each other log names its key', async () => {
    const copy = `${dir}-copy`;
    await cp(pathOf(HEAD_LOG), copy, { recursive: true });
    await rm(pathOf(HEAD_LOG), { recursive: true });
    expect(await failures()).toMatchObject([
      { code: 'log_missing', detail: expect.stringContaining(deployment.headSigner.vkey) as string },
    ]);
    await cp(copy, pathOf(HEAD_LOG), { recursive: true });
    await rm(copy, { recursive: true });
    expect(await codes()).toEqual([]);
  });

  it('shows that a log was cut back, which the log alone cannot show', async () => {
    await cutBackTo(dir, 4);
    expect(await failures()).toMatchObject([{ code: 'log_truncated', index: 4 }]);
  });

  it('shows that the checkpoint of a named head is gone', async () => {
    await removeObject(dir, checkpointKey('p0', 9));
    expect(await codes()).toEqual(['checkpoint_missing']);
  });

  it('shows a log that was rebuilt with its key, by the largest size that still agrees', async () => {
    await deployment.tell({ ...(await deployment.head()), tree_size: 12, root_hash: UNKNOWN.root_hash });
    await deployment.seal(3);
    expect(await failures()).toMatchObject([
      { code: 'heads_mismatch', index: 9 },
      { code: 'heads_mismatch', index: null },
    ]);
  });

  it('shows a named head where no bundle ends', async () => {
    await deployment.seal(2);
    await deployment.tell();
    const head = await deployment.head();
    await deployment.tell({ ...head, tree_size: 13 });
    await deployment.seal(4);
    const found = await failures();
    expect(found).toMatchObject([
      {
        code: 'heads_mismatch',
        index: 11,
        detail: expect.stringContaining('where no bundle of p0 ends') as string,
      },
    ]);
  });

  it('shows a log that it does not name, once it had the time to', async () => {
    const clock = () => BEGUN_MS;
    const archive = await openLocalArchive({ dir, clock });
    const signer = createTestSigner('test.example/stray');
    await createTestLog({ archive, records: createMemoryRecordStore(), clock, signer, log: 'p9' });
    expect(await verifyArchive({ dir })).toMatchObject({ ok: true, notices: [{ code: 'log_unnamed_yet' }] });
    deployment.pass(3 * HOUR_MS);
    await deployment.tell();
    expect(await failures()).toMatchObject([
      { code: 'log_unnamed', detail: expect.stringContaining('p9') as string },
    ]);
  });

  it('is behind where records were sealed for hours without an entry: a notice', async () => {
    deployment.pass(3 * HOUR_MS);
    await deployment.seal(1);
    expect(await verifyArchive({ dir })).toMatchObject({ ok: true, notices: [{ code: 'head_log_behind' }] });
    await deployment.tell();
    expect(await verifyArchive({ dir })).toMatchObject({ ok: true, notices: [] });
  });

  it('is verified as every log is: an entry that is gone from the middle shows', async () => {
    const key = bundleKey(HEAD_LOG, 1);
    await removeObject(dir, key);
    expect(await codes()).toContain('bundle_missing');
  });

  it('holds entries alone: a bundle of records in its place is malformed', async () => {
    await rm(pathOf(HEAD_LOG), { recursive: true });
    await cp(pathOf('p0'), pathOf(HEAD_LOG), { recursive: true });
    expect(await codes()).toEqual(expect.arrayContaining(['bundle_malformed', 'log_missing']));
  });
});

describe('an entry of the head log', () => {
  const at = (minute: number) => new Date(BEGUN_MS + minute * MINUTE_MS).toISOString();
  const entry = (minute: number, ...heads: NamedHead[]): HeadEntry => ({ v: 1, taken_at: at(minute), heads });
  const found = (...entries: readonly HeadEntry[]) => {
    const findings = createFindings();
    const check = new HeadLogCheck(findings);
    entries.forEach((each, index) => check.add(each, index));
    return findings.failures().map(({ code, index }): [FailureCode, number | null] => [code, index]);
  };
  const later = { ...UNKNOWN, tree_size: 10, root_hash: 'c'.repeat(64), note_sha256: 'd'.repeat(64) };

  it('may name newer heads, the same heads and further logs', () => {
    expect(found(entry(0), entry(0, UNKNOWN), entry(1, UNKNOWN), entry(2, later))).toEqual([]);
  });

  it.each<[string, HeadEntry]>([
    ['goes back in time', entry(0, later)],
    ['names an older head', entry(2, { ...later, tree_size: 8 })],
    ['names a second head of one size', entry(2, { ...later, root_hash: 'e'.repeat(64) })],
    ['names a second note of one head', entry(2, { ...later, note_sha256: 'e'.repeat(64) })],
    ['leaves out a log', entry(2)],
    ['gives a log another origin', entry(2, { ...later, origin: 'other.example/p7' })],
  ])('contradicts the entry in front of it where it %s', (_, second) => {
    expect(found(entry(1, later), second)).toEqual([['heads_contradict', 1]]);
  });
});
