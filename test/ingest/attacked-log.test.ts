/** Somebody who can write to the files of the embedded event log, and does not have its key. */
import { readdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { toFrameKey } from '../../ingest/frame-key.ts';
import { encodeEnvelope } from '../../ingest/framing.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import {
  append,
  at,
  attack,
  deadLetters,
  entryAt,
  gaps,
  keyOf,
  letters,
  NOW_MS,
  openLog,
  options,
  remove,
  repeats,
  rows,
  seal,
  toolUses,
  useAttackedLog,
  withChecksum,
} from '../support/attacked-log.ts';
import { hookEnvelope } from '../support/hook-envelope.ts';
import { FRAME_KEY } from '../support/numbering.ts';

const FORGED = 'event log entry: MAC does not match';

useAttackedLog();

it('seals an honest log of several processes without a finding, and names the writers in its bundles', async () => {
  await append([0, 1, 2, 3]);
  await append([4, 5]);
  await seal();
  await append([6]);
  await seal();
  expect(toolUses()).toEqual(['t0', 't1', 't2', 't3', 't4', 't5', 't6']);
  expect([gaps(), letters]).toEqual([[], []]);
  const { writers } = { writers: (await openLedger(options)).writers()! };
  expect(writers.key_sha256).toBe(FRAME_KEY.sha256);
  expect(writers.heads.map(({ number }) => number)).toEqual([4, 2, 1]);
});

it('gives no number to an append that is refused, so that it leaves no gap', async () => {
  const log = await openLog(true, 'event-log', 2);
  await log.append([hookEnvelope(0)]);
  const refused = log.append([1, 2, 3].map(hookEnvelope));
  await expect(refused).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
  await log.append([hookEnvelope(4)]);
  await expect(log.append([hookEnvelope(5)])).rejects.toMatchObject({ code: 'LOG_PUSHBACK' });
  await seal();
  await log.append([hookEnvelope(6)]);
  await log.close();
  await seal();
  expect(toolUses()).toEqual(['t0', 't4', 't6']);
  expect([gaps(), letters]).toEqual([[], []]);
});

it('does not seal an entry that was edited with its checksum made to fit, and says so', async () => {
  await append([0, 1, 2, 3]);
  await attack((entries) => {
    const edited = entryAt(entries, 1);
    const at = edited.indexOf('ls -la');
    expect(at).toBeGreaterThan(0);
    edited.write('rm -rf', at);
    void entries.put(keyOf(1), withChecksum(edited));
  });
  await seal();
  expect(toolUses()).toEqual(['t0', 't2', 't3']);
  expect(rows.rows.some(({ content }) => content.includes('rm -rf'))).toBe(false);
  expect(letters).toEqual([FORGED]);
  expect(deadLetters()).toBe(1);
  expect(gaps()).toEqual([['missing', 2, 2]]);
  expect(await readdir(at('event-log/dead-letters'))).toHaveLength(1);
});

it('says that an entry was taken out of the middle', async () => {
  await append([0, 1, 2, 3]);
  await remove(1);
  await seal();
  expect(toolUses()).toEqual(['t0', 't2', 't3']);
  expect(gaps()).toEqual([['missing', 2, 2]]);
});

it('says so too where the entries before were sealed by an earlier start', async () => {
  const log = await openLog();
  await log.append([0, 1].map(hookEnvelope));
  await seal();
  const received_at = '2026-11-21T23:59:59.000Z';
  await log.append([hookEnvelope(2), { ...hookEnvelope(3), received_at }]);
  await log.close();
  await remove(2);
  await seal();
  expect(toolUses()).toEqual(['t0', 't1', 't3']);
  expect(gaps()).toEqual([['missing', 3, 3]]);
  const { received_at: missing_since } = hookEnvelope(1);
  expect(rows.rows.find(({ type }) => type === 'event_log.gap')).toMatchObject({
    missing_since,
    received_at,
  });
});

it('says of dead letters that they were received between the entry before them and now', async () => {
  const log = await openLog();
  await log.append([hookEnvelope(0)]);
  await seal();
  await log.append([1, 2, 3].map(hookEnvelope));
  await log.close();
  const spoil = (offset: number) =>
    attack((entries) => void entries.put(keyOf(offset), Buffer.from('no envelope')));
  for (const offset of [2, 3]) await spoil(offset);
  await seal();
  await append([4]);
  await spoil(4);
  await seal();
  const counts = rows.rows.filter(({ type }) => type === 'ingest.counted');
  expect(counts.map(({ missing_since, dead_letter_count }) => [missing_since, dead_letter_count])).toEqual([
    [hookEnvelope(0).received_at, 2],
    [hookEnvelope(0).received_at, 1],
  ]);
  // The last envelope of the first bundle lies before its dead letters, so it does not date them.
  expect(counts.map(({ received_at }) => Date.parse(received_at))).toEqual([NOW_MS, NOW_MS]);
});

it('says that two entries were swapped, and seals both', async () => {
  await append([0, 1, 2, 3]);
  await attack((entries) => {
    const [one, two] = [entryAt(entries, 1), entryAt(entries, 2)];
    void entries.put(keyOf(1), two);
    void entries.put(keyOf(2), one);
  });
  await seal();
  expect([...toolUses()].sort()).toEqual(['t0', 't1', 't2', 't3']);
  expect(gaps()).toEqual([['missing', 2, 2]]);
});

it('takes a copy of an entry for a repeat, which is counted and not sealed again', async () => {
  await append([0, 1, 2, 3]);
  await attack((entries) => void entries.put(keyOf(3), entryAt(entries, 0)));
  await append([4]);
  await seal();
  expect(toolUses()).toEqual(['t0', 't1', 't2', 't4']);
  expect(repeats()).toBe(1);
  // The overwritten entry was the last of its writer, which never wrote again: nothing shows that it is missing.
  expect(gaps()).toEqual([]);
});

it('does not seal an entry of another log under the same key', async () => {
  await append([0, 1]);
  await append([8], true, 'other-log');
  let foreign: Buffer | undefined;
  await attack((entries) => (foreign = entryAt(entries, 0)), 'other-log');
  await attack((entries) => void entries.put(keyOf(1), foreign!));
  await seal();
  expect(toolUses()).toEqual(['t0']);
  expect([letters, deadLetters()]).toEqual([[FORGED], 1]);
});

it('does not seal an entry without a number in a deployment that always had the key', async () => {
  await append([0]);
  await attack((entries) => void entries.put(keyOf(0), encodeEnvelope(hookEnvelope(9))));
  await seal();
  expect(toolUses()).toEqual([]);
  expect(letters).toEqual(['event log entry: no writer of this deployment numbered it']);
});

it('seals entries of an older version that lie before the first numbered one, and none after that', async () => {
  await append([0, 1], false);
  await append([2]);
  await seal({ hadUnnumbered: true });
  expect(toolUses()).toEqual(['t0', 't1', 't2']);
  await append([3], false);
  await append([4]);
  await seal({ hadUnnumbered: true });
  expect(toolUses()).toEqual(['t0', 't1', 't2', 't4']);
  expect(letters).toEqual(['event log entry: no writer of this deployment numbered it']);
});

it('refuses another key than that of the newest bundle, with which every entry would look forged', async () => {
  await append([0]);
  await seal();
  await append([1]);
  const eventLogKey = toFrameKey(Buffer.alloc(32, 9)).sha256;
  await expect(seal({ eventLogKey, isSettling: true })).rejects.toMatchObject({
    code: 'START_REFUSED',
    detail: expect.stringContaining(FRAME_KEY.sha256) as string,
  });
  await seal();
  expect(toolUses()).toEqual(['t0', 't1']);
});
