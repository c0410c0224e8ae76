import { describe, expect, it } from 'vitest';
import type { RecordStore } from '../../store/records/record-store.ts';
import { auditRecord, sealedRows } from '../support/sealed-rows.ts';
import { createCoverage } from './coverage.ts';
import { createJudge } from './judge.ts';
import type { Mutant } from './mutants.ts';
import { openRowsModel } from './rows-model.ts';
import { createScheduler, type Caller } from './scheduler.ts';
import { createTableModel } from './table-model.ts';

const rows = sealedRows([auditRecord('first'), auditRecord('second')]);
const [first, second] = rows.map((row) => [row]);

/** A table that remembers so many tokens, and two processes that insert into it statement by statement. */
function setUp(window: number, mutant?: Mutant) {
  const coverage = createCoverage();
  const judge = createJudge();
  const scheduler = createScheduler(coverage, () => undefined);
  const table = createTableModel({ judge, coverage, mutant, window });
  const open = (name: string) => {
    const caller: Caller = { name, isAlive: true, isPaused: false };
    const store = openRowsModel({ scheduler, table, mutant }, caller, () => undefined);
    return { caller, store };
  };
  /** Lets calls of one process succeed, up to the first of this name or to the last. */
  const proceed = async ({ caller }: { caller: Caller }, until?: string) => {
    for (;;) {
      await scheduler.quiet();
      const call = scheduler.enabled().find((one) => one.caller === caller);
      if (call === undefined || call.options.name === until) return;
      scheduler.proceed(call, 'succeeds');
    }
  };
  const begin = (store: RecordStore, some: typeof rows, token: string) => {
    const inserting = store.insert('p0', some, token);
    inserting.catch(() => undefined);
    return inserting;
  };
  return { table, judge, coverage, zombie: open('zombie'), other: open('other'), proceed, begin };
}

const indexes = ({ table }: ReturnType<typeof setUp>) => table.rows().map(({ leaf_index }) => leaf_index);

describe('the model of the record store', () => {
  it('drops rows under a token that it remembers, and its adapter brings them in under another', async () => {
    const world = setUp(4);
    const { table, coverage, other, proceed, begin } = world;
    for (const losses of [0, 1, 2]) {
      if (losses > 0) expect(table.loseUnit(0)).toBe(true);
      const inserting = begin(other.store, first!, 't');
      await proceed(other);
      await inserting;
      expect(indexes(world)).toEqual([0]);
    }
    expect(coverage.counts.get('insert dropped by its token')).toBe(3);
  });

  /** A process has looked and is about to insert when another one inserts these rows and the next. */
  async function sleep(world: ReturnType<typeof setUp>) {
    const { zombie, other, proceed, begin } = world;
    const inserting = begin(zombie.store, first!, 'first');
    await proceed(zombie, 'store insert');
    for (const [some, token] of [
      [first!, 'first'],
      [second!, 'second'],
    ] as const) {
      const done = begin(other.store, some, token);
      await proceed(other);
      await done;
    }
    await proceed(zombie);
    return inserting;
  }

  it('has rows twice where a process slept until their token was forgotten: a limit of the protocol', async () => {
    const world = setUp(1, 'slept_beyond_window');
    await sleep(world).catch(() => undefined);
    expect(indexes(world)).toEqual([0, 1, 0]);
    expect(world.judge.finding()?.fault).toBe('twice');
  });

  it('leaves that out unless it is asked for', async () => {
    const world = setUp(1);
    await expect(sleep(world)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(indexes(world)).toEqual([0, 1]);
  });

  /** An empty copy is restored when a process has inserted and not looked again; another one inserts the rows meanwhile. */
  async function restore(world: ReturnType<typeof setUp>) {
    const { table, zombie, other, proceed, begin } = world;
    const inserting = begin(zombie.store, first!, 'first');
    await proceed(zombie, 'store present');
    table.restore();
    await proceed(zombie, 'store insert');
    const done = begin(other.store, first!, 'first');
    await proceed(other);
    await done;
    await proceed(zombie);
    return inserting;
  }

  it('has rows twice where an older copy was restored under an insert: another limit', async () => {
    const world = setUp(4, 'restored_under_insert');
    await restore(world).catch(() => undefined);
    expect(world.judge.finding()?.fault).toBe('twice');
    expect(indexes(world)).toEqual([0, 0]);
  });

  it('leaves that out as well', async () => {
    const world = setUp(4);
    await expect(restore(world)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(indexes(world)).toEqual([0]);
  });
});
