/** An embedded event log that was lost, copied, restored or changed in its counts, beside a ledger that goes on. */
import { cp, rename, rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { openEnvironment } from '../../ingest/embedded/environment.ts';
import { readState, writeState, type LogState } from '../../ingest/embedded/state.ts';
import {
  append,
  at,
  attack,
  backUp,
  deadLetters,
  gaps,
  keyOf,
  letters,
  openLog,
  repeats,
  rows,
  seal,
  toolUses,
  useAttackedLog,
} from '../support/attacked-log.ts';

useAttackedLog();

it('refuses an older archive, though rows and head guard are as old, and removes nothing that waits', async () => {
  await append([0, 1, 2]);
  await seal();
  const older = backUp();
  await append([3, 4]);
  await seal();
  const newer = backUp();
  await append([5]);
  older.restore();
  await expect(seal()).rejects.toMatchObject({
    code: 'START_REFUSED',
    detail: expect.stringContaining('the archive is an older copy') as string,
  });
  newer.restore();
  await seal();
  expect(toolUses()).toEqual(['t0', 't1', 't2', 't3', 't4', 't5']);
});

describe('a log whose folder was exchanged or whose counts were changed', () => {
  const setState = async (change: (state: LogState) => LogState) => {
    const environment = await openEnvironment(at('event-log'), { mapBytes: 1 << 28 });
    const meta = environment.database('meta');
    await environment.commit(() => writeState(meta, change(readState(meta))));
    await environment.close();
  };
  const lag = async () => {
    const log = await openLog();
    const { envelopes } = await log.lag();
    await log.close();
    return envelopes;
  };

  it('seals what waits in a copy that went on by itself, once it is back', async () => {
    await append([0]);
    await seal();
    await cp(at('event-log'), at('backup'), { recursive: true });
    await append([1, 2, 3]);
    await rename(at('event-log'), at('original'));
    await rename(at('backup'), at('event-log'));
    await append([4, 5, 6, 7]);
    await seal();
    await rm(at('event-log'), { recursive: true });
    await rename(at('original'), at('event-log'));
    await append([8]);
    await seal();
    expect(toolUses()).toEqual(['t0', 't4', 't5', 't6', 't7', 't1', 't2', 't3', 't8']);
    expect([gaps(), letters]).toEqual([[], []]);
  });

  it('seals nothing twice where an older copy of an earlier log is accepted again and again', async () => {
    await append([0, 1, 2]);
    await seal();
    await append([0, 1, 3]);
    await cp(at('event-log'), at('earlier'), { recursive: true });
    await seal();
    for (const round of [1, 2]) {
      await rm(at('event-log'), { recursive: true });
      await append([10 * round]);
      await seal({ isAccepted: true });
      await rm(at('event-log'), { recursive: true });
      await cp(at('earlier'), at('event-log'), { recursive: true });
      await append([10 * round + 1]);
      await seal({ isAccepted: true });
    }
    expect(toolUses()).toEqual(['t0', 't1', 't2', 't3', 't10', 't11', 't20', 't21']);
    const ids = rows.rows.map(({ id }) => id);
    expect(ids.filter((id, place) => ids.indexOf(id) !== place)).toEqual([]);
    expect(gaps()).toEqual([]);
  });

  it.each([
    ['set to 0', (state: LogState) => ({ ...state, next: 0n })],
    ['lowered', (state: LogState) => ({ ...state, next: state.next - 2n })],
    ['raised', (state: LogState) => ({ ...state, next: state.next + 7n })],
    ['shifted', (state: LogState) => ({ ...state, shift: 5n })],
    ['counted too low', (state: LogState) => ({ ...state, envelopes: 0, bytes: 0 })],
    ['counted too high', (state: LogState) => ({ ...state, envelopes: 50, bytes: 50_000 })],
  ])('loses nothing where the head of the log was %s', async (_, change) => {
    await append([0, 1, 2]);
    await seal();
    await append([3, 4]);
    await setState(change);
    await append([5]);
    await seal();
    await append([6, 7]);
    await seal();
    const sealed = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => `t${n}`);
    expect([...toolUses()].sort()).toEqual(sealed);
    expect(await lag()).toBe(0);
  });

  it('has no backlog once an entry was taken out beside its counts', async () => {
    await append([0, 1, 2]);
    await attack((entries) => void entries.remove(keyOf(1)));
    await seal();
    expect(toolUses()).toEqual(['t0', 't2']);
    expect(gaps()).toEqual([['missing', 2, 2]]);
    expect(await lag()).toBe(0);
  });

  it.each([
    ['the next key', 3],
    ['a free key behind it', 5],
  ])('goes on beside an entry that was put at %s', async (_, offset) => {
    await append([0, 1, 2]);
    await attack((entries) => void entries.put(keyOf(offset), Buffer.from('forged')));
    await seal();
    await append([3, 4, 5]);
    await seal();
    expect(toolUses()).toEqual(['t0', 't1', 't2', 't3', 't4', 't5']);
    expect(deadLetters()).toBe(1);
    expect(await lag()).toBe(0);
  });

  it('counts a dead letter once where the process died between sealing and removing', async () => {
    await append([0, 1]);
    await attack((entries) => void entries.put(keyOf(2), Buffer.from('forged')));
    await append([3]);
    await cp(at('event-log'), at('before'), { recursive: true });
    await seal();
    await rm(at('event-log'), { recursive: true });
    await rename(at('before'), at('event-log'));
    await append([4]);
    await seal();
    expect(toolUses()).toEqual(['t0', 't1', 't3', 't4']);
    expect(deadLetters()).toBe(1);
    expect([gaps(), repeats()]).toEqual([[], 0]);
  });

  it('counts a damaged entry that waits in a copy that went on by itself', async () => {
    await append([0]);
    await seal();
    await cp(at('event-log'), at('backup'), { recursive: true });
    await append([1, 2, 3]);
    await attack((entries) => void entries.put(keyOf(1), Buffer.from('damaged')));
    await rename(at('event-log'), at('original'));
    await rename(at('backup'), at('event-log'));
    await append([4, 5, 6, 7]);
    await seal();
    await rm(at('event-log'), { recursive: true });
    await rename(at('original'), at('event-log'));
    await seal();
    expect(toolUses()).toEqual(['t0', 't4', 't5', 't6', 't7', 't2', 't3']);
    expect(deadLetters()).toBe(1);
    expect(gaps()).toEqual([['missing', 1, 1]]);
  });

  it('refuses an entry that no appender can have written', async () => {
    await append([0]);
    await attack((entries) => void entries.put(Buffer.from('ab'), Buffer.from('forged')));
    await expect(seal({ isSettling: true })).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
  });
});
