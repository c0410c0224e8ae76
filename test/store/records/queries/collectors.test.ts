import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../../../schemas/record.ts';
import {
  collectorCounts,
  collectorLosses,
  collectorSilences,
  deliveryGaps,
} from '../../../../store/records/queries/collectors.ts';
import { shuffled, useQueryStore } from '../../../support/query-store.ts';
import { auditRecord } from '../../../support/sealed-rows.ts';

const store = useQueryStore();
const at = (second: number) => new Date(Date.UTC(2026, 2, 1, 10) + second * 1000).toISOString();

/** A delivery of a run, at the second of its number unless said otherwise. */
function delivery(run: string, number: number, second = number): AuditRecord {
  return auditRecord(`${run} ${String(number)} ${String(second)}`, {
    received_at: at(second),
    facts: { session_id: `s-${run}`, collector_boot_id: run, collector_sequence: number },
  });
}

function heartbeat(
  run: string,
  second: number,
  {
    last = 0,
    sentBy = 'timer',
    collector = 'laptop-1',
    interval = 60_000,
  }: { last?: number; sentBy?: string; collector?: string; interval?: number | null } = {},
): AuditRecord {
  return auditRecord(`beat ${run} ${String(second)}`, {
    type: 'collector.heartbeat',
    source: 'native',
    received_at: at(second),
    facts: { collector, collector_boot_id: run, collector_sequence: last },
    content: { sent_by: sentBy, ...(interval === null ? {} : { interval_ms: interval }) },
  });
}
const deliveries = (run: string, ...numbers: number[]) => numbers.map((number) => delivery(run, number));

/** The received records, and the deliveries that must be found missing. */
const HOLES: [string, AuditRecord[], [string, number, number][]][] = [
  ['a run without a hole', deliveries('a', 1, 2, 3), []],
  ['a run that lost its first', deliveries('a', 3, 4), [['a', 1, 2]]],
  [
    'a run that lost some',
    deliveries('a', 1, 3, 4, 8),
    [
      ['a', 2, 2],
      ['a', 5, 7],
    ],
  ],
  ['a delivery of several records', [...deliveries('a', 1, 2), delivery('a', 2, 9)], []],
  [
    'what a heartbeat tells of and did not come',
    [...deliveries('a', 1, 2), heartbeat('a', 9, { last: 4 })],
    [['a', 3, 4]],
  ],
  [
    'what a heartbeat tells of and came later',
    [...deliveries('a', 1, 2, 3), heartbeat('a', 2, { last: 3 })],
    [],
  ],
  ['a heartbeat within a hole', [...deliveries('a', 1, 6), heartbeat('a', 3, { last: 3 })], [['a', 2, 5]]],
  ['a heartbeat before the first number', [heartbeat('a', 1)], []],
  [
    'two runs of one collector, each for itself',
    [...deliveries('a', 1, 2), ...deliveries('b', 2)],
    [['b', 1, 1]],
  ],
];

describe("the numbers of a collector's deliveries", () => {
  it.each(HOLES)('show what is missing: %s', async (_, records, holes) => {
    for (const order of [records, [...records].reverse(), shuffled(records, 7)]) {
      await store.fill(order);
      const found = await store.read(deliveryGaps({}));
      expect(found.map((gap) => [gap.collector_boot_id, gap.missing_from, gap.missing_to])).toEqual(holes);
    }
  });

  it('put a hole into the period in which it could first be noticed', async () => {
    await store.fill([delivery('a', 1, 0), heartbeat('a', 30, { last: 3 }), delivery('a', 4, 90)]);
    expect(await store.read(deliveryGaps({ from: at(0), to: at(60) }))).toMatchObject([
      {
        collector: 'laptop-1',
        missing_from: 2,
        missing_to: 3,
        noticed_at: at(30),
      },
    ]);
    expect(await store.read(deliveryGaps({ from: at(60), to: at(120) }))).toEqual([]);
  });

  it.each([
    [60_000, 1],
    [86_400_000, 1],
    [86_400_001, 0],
    [Number.MAX_SAFE_INTEGER, 0],
    [0, 0],
    [-1, 0],
    [null, 0],
  ])(
    'say nothing about silence where a heartbeat declares the interval %s: timed %s',
    async (interval, timed) => {
      await store.fill([...deliveries('a', 1), heartbeat('a', 2, { last: 1, interval })]);
      expect(await store.read(collectorCounts({}))).toMatchObject([
        { collector_count: 1, timed_count: timed },
      ]);
    },
  );

  it('are asked for below a checkpoint, and for the collectors of one session', async () => {
    await store.fill([...deliveries('a', 1, 2), ...deliveries('a', 4)]);
    expect(await store.read(deliveryGaps({ below: 2 }))).toEqual([]);
    expect(await store.read(deliveryGaps({ session_id: 's-a' }))).toHaveLength(1);
    expect(await store.read(deliveryGaps({ session_id: 'another' }))).toEqual([]);
  });

  it('are counted by whether a collector gives any', async () => {
    const silent = auditRecord('x', { facts: { collector: 'laptop-2' } });
    await store.fill([...deliveries('a', 1), silent]);
    expect(await store.read(collectorCounts({}))).toMatchObject([
      { collector_count: 2, numbering_count: 1, log_count: 1 },
    ]);
  });
});

describe('the silence of a collector', () => {
  const silences = async (records: readonly AuditRecord[]) => {
    await store.fill(records);
    const found = await store.read(collectorSilences({ limit: 100 }));
    return found.map(({ collector_boot_id, silent_ms }) => [collector_boot_id, silent_ms]);
  };

  it('is more than three of its intervals without a heartbeat', async () => {
    expect(await silences([heartbeat('a', 0), heartbeat('a', 180)])).toEqual([]);
    expect(await silences([heartbeat('a', 0), heartbeat('a', 181), heartbeat('a', 200)])).toEqual([
      ['a', 181_000],
    ]);
  });

  it('begins with the first record of a collector whose heartbeats begin late', async () => {
    expect(await silences([delivery('a', 1, 0), heartbeat('b', 180)])).toEqual([]);
    expect(await silences([delivery('a', 1, 0), heartbeat('b', 181)])).toEqual([['b', 181_000]]);
  });

  it('lasts to the last record of the period behind its last heartbeat', async () => {
    expect(await silences([heartbeat('a', 0), delivery('b', 1, 180)])).toEqual([]);
    expect(await silences([heartbeat('a', 0), delivery('b', 1, 400)])).toEqual([['a', 400_000]]);
  });

  it('ends with a later run of the same collector, and not with a run of another', async () => {
    const later = (collector: string) => heartbeat('b', 100, { collector });
    const rest = [heartbeat('a', 0), heartbeat('b', 400), delivery('c', 1, 500)];
    expect(await silences([...rest, later('laptop-1')])).toEqual([['b', 300_000]]);
    const elsewhere = heartbeat('c', 450, { collector: 'laptop-2' });
    expect(await silences([heartbeat('a', 0), elsewhere])).toEqual([['a', 450_000]]);
  });

  it('does not show in heartbeats that come with calls', async () => {
    expect(
      await silences([heartbeat('a', 0, { sentBy: 'call' }), heartbeat('a', 900, { sentBy: 'call' })]),
    ).toEqual([]);
    expect(await store.read(collectorCounts({}))).toMatchObject([{ collector_count: 1, timed_count: 0 }]);
  });

  it('is measured of collectors with a timer, counted among all that report the work of agents', async () => {
    const forge = auditRecord('f', { source: 'forge', facts: { collector: 'webhook:github' } });
    await store.fill([heartbeat('a', 0), forge, auditRecord('x', { facts: { collector: 'laptop-2' } })]);
    expect(await store.read(collectorCounts({}))).toMatchObject([{ collector_count: 2, timed_count: 1 }]);
  });
});

describe('the losses that collectors report', () => {
  it('are added up by collector and reason', async () => {
    const loss = (name: string, reason: string, count: string) =>
      auditRecord(name, { type: 'collector.loss', source: 'native', facts: { reason, metric_value: count } });
    await store.fill([loss('1', 'spool_full', '2'), loss('2', 'spool_full', '3'), loss('3', 'refused', '1')]);
    expect(await store.read(collectorLosses({}))).toEqual([
      { collector: 'laptop-1', reason: 'refused', lost_count: 1, unreadable_count: 0 },
      { collector: 'laptop-1', reason: 'spool_full', lost_count: 5, unreadable_count: 0 },
    ]);
  });

  it('never wrap round, and are counted where their number does not read', async () => {
    const loss = (name: string, reason: string, count?: string) =>
      auditRecord(name, {
        type: 'collector.loss',
        source: 'native',
        facts: { reason, ...(count === undefined ? {} : { metric_value: count }) },
      });
    const most = '999999999999999';
    const many = Array.from({ length: 20 }, (_, index) => loss(`m${String(index)}`, 'many', most));
    const unreadable = ['-5', '7.0', undefined, '9223372036854775808', '9223372036854775808', ' 1', '1e3'];
    await store.fill([
      ...many,
      ...unreadable.map((count, index) => loss(`u${String(index)}`, 'odd', count)),
      loss('u', 'odd', '2'),
    ]);
    expect(await store.read(collectorLosses({}))).toEqual([
      { collector: 'laptop-1', reason: 'many', lost_count: Number.MAX_SAFE_INTEGER, unreadable_count: 0 },
      { collector: 'laptop-1', reason: 'odd', lost_count: 2, unreadable_count: 7 },
    ]);
  });
});
