import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, planRounds } from './plan.ts';
import { bodyOf, eventOf, halves, toolUseId, type Load } from './requests.ts';

describe('the plan of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    const plan = (seed: number) => planRounds({ rounds: 40, seed, only: [] });
    expect(plan(5)).toEqual(plan(5));
    expect(plan(6)).not.toEqual(plan(5));
  });

  it('has every kind of fault in each twenty rounds, and SIGKILL in most', () => {
    const plan = planRounds({ rounds: 40, seed: 1, only: [] });
    for (const part of [plan.slice(0, 20), plan.slice(20)]) {
      const kinds = part.map(({ kind }) => kind);
      expect(new Set(kinds)).toEqual(new Set(FAULT_KINDS));
      expect(kinds.filter((kind) => kind.startsWith('kill_'))).toHaveLength(14);
    }
  });

  it('lets no more than five rounds pass before everything acknowledged is judged', () => {
    const drained = planRounds({ rounds: 60, seed: 2, only: [] }).filter(({ drainFirst }) => drainFirst);
    expect(drained.map(({ number }) => number)).toEqual(expect.arrayContaining([5, 10, 15, 55, 60]));
    expect(drained.length).toBeLessThan(60);
  });

  it('takes the kinds it is told alone', () => {
    const plan = planRounds({ rounds: 6, seed: 3, only: ['disk_full', 'terminate'] });
    expect(plan.map(({ kind }) => kind).sort()).toEqual([
      ...Array<string>(3).fill('disk_full'),
      ...Array<string>(3).fill('terminate'),
    ]);
  });
});

describe('a request', () => {
  const batch: Load = { kind: 'otlp', first: 62, count: 5, fillerLength: 50 };
  interface Sent {
    resourceLogs: [{ scopeLogs: [{ logRecords: unknown[] }] }];
  }
  const logRecords = (load: Load) =>
    (JSON.parse(bodyOf(load).toString()) as Sent).resourceLogs[0].scopeLogs[0].logRecords;

  it('is the same bytes each time', () => {
    expect(bodyOf(batch).equals(bodyOf({ ...batch }))).toBe(true);
  });

  it('holds the same events in halves as in one', () => {
    expect(halves(batch).flatMap(logRecords)).toEqual(logRecords(batch));
    expect(halves({ ...batch, count: 1 })).toEqual([{ ...batch, count: 1 }]);
  });

  it('names its events so that they are found again', () => {
    const ids = [
      ...bodyOf(batch)
        .toString()
        .matchAll(/toolu_torture_[0-9]+/g),
    ].map(([id]) => eventOf(id));
    expect(ids).toEqual([62, 63, 64, 65, 66]);
    expect(eventOf(toolUseId(0))).toBe(0);
    expect(eventOf('toolu_01ABC')).toBeUndefined();
    expect(eventOf(7)).toBeUndefined();
  });
});
