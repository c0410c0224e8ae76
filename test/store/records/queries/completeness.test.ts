import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../../../schemas/record.ts';
import {
  clockSkew,
  hookDeliveryErrors,
  sessionsWithoutEnd,
  sourceCounts,
  toolCallsMissingCounterpart,
} from '../../../../store/records/queries/completeness.ts';
import { sequenceGaps } from '../../../../store/records/queries/sequence-gaps.ts';
import { shuffled, useQueryStore } from '../../../support/query-store.ts';
import { readRecording, RECORDING_NAMES } from '../../../support/recorded-records.ts';
import { auditRecord } from '../../../support/sealed-rows.ts';

const store = useQueryStore();
const gaps = async () =>
  (await store.read(sequenceGaps({}))).map(({ session_id, missing_from, missing_to }) => [
    session_id,
    missing_from,
    missing_to,
  ]);

/** Records of one process that counts from `first` to `last`; each takes a second. */
function counted(
  session_id: string,
  [first, last]: [number, number],
  startSecond: number,
  { install = 'm1', startup = false }: { install?: string; startup?: boolean } = {},
): AuditRecord[] {
  return Array.from({ length: last - first + 1 }, (_, n) =>
    auditRecord(`${session_id} ${install} ${first + n} ${startSecond}`, {
      type: startup ? 'hook.registered' : 'model.called',
      source: 'otel',
      received_at: new Date(Date.UTC(2026, 2, 1, 10) + (startSecond + n) * 1000).toISOString(),
      facts: {
        session_id,
        install_id: install,
        event_sequence: first + n,
        occurred_at: new Date(Date.UTC(2026, 2, 1, 9) + (startSecond + n) * 1000).toISOString(),
      },
    }),
  );
}
const without = (records: readonly AuditRecord[], ...numbers: number[]) =>
  records.filter((record) => !numbers.includes(record.facts.event_sequence ?? -1));
const start = { startup: true };

/** What was received, and the holes that must be found in it. */
const HOLES: [string, AuditRecord[], [string, number, number][]][] = [
  ['one process', counted('a', [0, 9], 0), []],
  ['a process that lost its first records', without(counted('a', [0, 9], 0), 0, 1), [['a', 0, 1]]],
  [
    'a process that lost some records',
    without(counted('a', [0, 9], 0), 3, 4, 7),
    [
      ['a', 3, 4],
      ['a', 7, 7],
    ],
  ],
  ['a session resumed under its own id', [counted('a', [0, 9], 0), counted('a', [0, 5], 100)].flat(), []],
  [
    'a resumed session that lost the number at which the first process ended',
    [counted('a', [0, 4], 0), without(counted('a', [0, 9], 100), 5)].flat(),
    [['a', 5, 5]],
  ],
  [
    'a resumed session that lost its first record',
    [counted('a', [0, 9], 0), without(counted('a', [0, 9], 100), 0)].flat(),
    [['a', 0, 0]],
  ],
  [
    'a session continued from a provisional one',
    [counted('a', [0, 60], 0), counted('x', [0, 39], 100, start), counted('a', [40, 50], 200)].flat(),
    [],
  ],
  [
    'a continued session whose first process was shorter than the start',
    [counted('a', [0, 10], 0), counted('x', [0, 39], 100, start), counted('a', [40, 50], 200)].flat(),
    [],
  ],
  [
    'a continued session that is all there is of it',
    [counted('x', [0, 39], 100, start), counted('a', [40, 50], 200)].flat(),
    [],
  ],
  [
    'a start that lost its last records',
    [
      counted('a', [0, 10], 0),
      without(counted('x', [0, 39], 100, start), 38, 39),
      counted('a', [40, 50], 200),
    ].flat(),
    [['a', 38, 39]],
  ],
  [
    'a start that lost a record in the middle',
    [
      counted('a', [0, 60], 0),
      without(counted('x', [0, 39], 100, start), 7),
      counted('a', [40, 50], 200),
    ].flat(),
    [['x', 7, 7]],
  ],
  [
    'a start that is lost as a whole',
    [counted('a', [0, 60], 0), counted('a', [40, 50], 200)].flat(),
    [['a', 0, 39]],
  ],
  [
    'a start on another machine',
    [
      counted('a', [0, 60], 0),
      counted('x', [0, 39], 100, { startup: true, install: 'm2' }),
      counted('a', [40, 50], 200),
    ].flat(),
    [['a', 0, 39]],
  ],
  [
    'a start after the fact',
    [counted('a', [40, 50], 0), counted('x', [0, 39], 100, start)].flat(),
    [['a', 0, 39]],
  ],
  [
    'a start that was broken off, and an ordinary hole elsewhere',
    [counted('x', [0, 24], 0, start), without(counted('a', [0, 40], 100), 25, 26, 27, 28, 29)].flat(),
    [['a', 25, 29]],
  ],
  [
    'the same session continued twice',
    [
      counted('a', [0, 60], 0),
      counted('x', [0, 39], 100, start),
      counted('a', [40, 50], 200),
      counted('y', [0, 39], 300, start),
      counted('a', [40, 45], 400),
    ].flat(),
    [],
  ],
  [
    'the same session continued twice, the second start lost',
    [
      counted('a', [0, 60], 0),
      counted('x', [0, 39], 100, start),
      counted('a', [40, 50], 200),
      counted('a', [40, 45], 400),
    ].flat(),
    [['a', 0, 39]],
  ],
  [
    'two sessions continued at once on one machine',
    [
      counted('x', [0, 39], 100, start),
      counted('y', [0, 39], 110, start),
      counted('a', [40, 50], 200),
      counted('b', [40, 50], 201),
    ].flat(),
    [],
  ],
  [
    'two processes that write to one session at once',
    [counted('a', [0, 20], 0), counted('a', [0, 15], 5)].flat(),
    [],
  ],
  [
    'two processes that write to one session at once, with a loss',
    [counted('a', [0, 20], 0), without(counted('a', [0, 15], 5), 9)].flat(),
    [['a', 9, 9]],
  ],
  [
    'a continued process beside one that still runs',
    [counted('a', [0, 300], 0), counted('x', [0, 39], 100, start), counted('a', [40, 90], 145)].flat(),
    [],
  ],
  [
    'a clock that stepped back within a process',
    [counted('a', [0, 9], 50), counted('a', [10, 19], 20)].flat(),
    [],
  ],
  ['sessions side by side', [counted('a', [0, 9], 0), counted('b', [0, 30], 3)].flat(), []],
];

describe('holes in the counters', () => {
  it('are found exactly, in any order of arrival', async () => {
    const placed = HOLES.flatMap(([, records], n) => records.map((record) => renamed(record, n)));
    for (const records of [placed, shuffled(placed, 5)]) {
      await store.fill(records);
      const found = await gaps();
      const table = HOLES.map(([name, all], n) => [
        name,
        all,
        found
          .filter(([session]) => String(session).endsWith(` ${n}`))
          .map(([session, from, to]) => [String(session).split(' ')[0], from, to]),
      ]);
      expect(table).toEqual(HOLES);
    }
  });

  it('belong to the period in which the record behind them arrived', async () => {
    await store.fill(without(counted('a', [0, 9], 0), 4));
    const at = (second: number) => new Date(Date.UTC(2026, 2, 1, 10) + second * 1000).toISOString();
    expect(await store.read(sequenceGaps({ from: at(0), to: at(5) }))).toEqual([]);
    const found = await store.read(sequenceGaps({ from: at(5), to: at(6) }));
    expect(found).toEqual([
      { session_id: 'a', install_id: 'm1', missing_from: 4, missing_to: 4, noticed_at: at(5) },
    ]);
    expect(await store.read(sequenceGaps({ from: at(6) }))).toEqual([]);
    expect(await store.read(sequenceGaps({ session_id: 'a' }))).toEqual(found);
    expect(await store.read(sequenceGaps({ session_id: 'b' }))).toEqual([]);
    expect(await store.read(sequenceGaps({ below: 4 }))).toEqual([]);
  });

  it.each(RECORDING_NAMES)('are not found in the recording "%s"', async (name) => {
    await store.fill(readRecording(name).records);
    expect(await gaps()).toEqual([]);
  });

  it.each(['resumed', 'personal'] as const)(
    'are exactly the one record that is taken out of "%s", unless it was the last of its process',
    async (name) => {
      const { records } = readRecording(name);
      const numbered = records.filter((record) => record.facts.event_sequence !== undefined);
      // One copy of the recording per lost record, each with sessions and a machine of its own.
      const copies = numbered.flatMap((lost, copy) =>
        numbered.filter((record) => record !== lost).map((record) => renamed(record, copy)),
      );
      await store.fill(copies);
      const found = await gaps();
      for (const [copy, lost] of numbered.entries()) {
        const number = lost.facts.event_sequence!;
        const next = numbered[copy + 1]?.facts.event_sequence ?? 0;
        const ofCopy = found.filter(([session]) => String(session).endsWith(` ${copy}`));
        expect(
          ofCopy.map(([, from, to]) => [from, to]),
          `number ${number}`,
        ).toEqual(next > number ? [[number, number]] : []);
      }
    },
  );
});

function renamed(record: AuditRecord, copy: number): AuditRecord {
  const { session_id, install_id } = record.facts;
  const facts = {
    ...record.facts,
    session_id: `${session_id!} ${copy}`,
    install_id: `${install_id!} ${copy}`,
  };
  return { ...record, id: auditRecord(`${record.id} ${copy}`).id, facts };
}

describe('counterparts', () => {
  const codes = async () =>
    (await store.read(toolCallsMissingCounterpart({ limit: 100 }))).map((row) => [row.tool_use_id, row.code]);

  it.each(RECORDING_NAMES)('are missing for no call of the recording "%s"', async (name) => {
    const { records } = readRecording(name);
    await store.fill(records);
    expect(await codes()).toEqual([]);
    await store.fill(records.filter((record) => record.source === 'otel'));
    expect(await codes()).toEqual([]);
  });

  it.each<[string, (record: AuditRecord) => boolean, string[]]>([
    ['telemetry of one call', (r) => r.source === 'otel', ['hook_call_without_otel']],
    ['hooks of one call', (r) => r.source === 'hook', ['otel_call_without_hook']],
    ['the decision', (r) => r.type === 'tool.decided', ['result_without_decision']],
    ['the request', (r) => r.type === 'tool.requested', ['result_without_request']],
    [
      'every result',
      (r) => ['tool.completed', 'tool.measured', 'tool.reported'].includes(r.type),
      ['decision_without_result'],
    ],
    [
      'everything behind the request',
      (r) => r.type !== 'tool.requested',
      ['hook_call_without_otel', 'request_without_result'],
    ],
    ['one of two witnesses of the result', (r) => r.type === 'tool.completed', []],
  ])('are named when %s is lost', async (_, isLost, expected) => {
    const { records } = readRecording('ordinary');
    const call = records.find((record) => record.type === 'tool.requested')!.facts.tool_use_id!;
    await store.fill(records.filter((r) => !(r.facts.tool_use_id === call && isLost(r))));
    expect(await codes()).toEqual(expected.map((code) => [call, code]));
  });
});

describe('other signs of loss', () => {
  it('counts the records of each source in each session', async () => {
    await store.fill(readRecording('resumed').records);
    const counts = await store.read(sourceCounts({}));
    const total = counts.reduce((sum, row) => sum + row.record_count, 0);
    expect(total).toBe(readRecording('resumed').records.length);
    expect(counts.filter((row) => row.source === 'hook')).toHaveLength(1);
  });

  it('measures the way from the source clock to ours', async () => {
    const at = (ms: number) => new Date(Date.UTC(2026, 2, 1, 10) + ms).toISOString();
    const delays = [-6000, -1, 0, 10, 20, 30];
    await store.fill([
      ...delays.map((delay) =>
        auditRecord(`delay ${delay}`, {
          source: 'otel',
          received_at: at(0),
          facts: { occurred_at: at(-delay) },
        }),
      ),
      auditRecord('no clock', { source: 'hook', received_at: at(0) }),
    ]);
    const nothing = { delay_ms_p50: null, delay_ms_p95: null, delay_ms_p99: null };
    expect(await store.read(clockSkew({}))).toEqual([
      {
        source: 'hook',
        record_count: 1,
        clocked_count: 0,
        delay_ms_min: null,
        ...nothing,
        delay_ms_max: null,
        ahead_count: 0,
        far_ahead_count: 0,
      },
      {
        source: 'otel',
        record_count: 6,
        clocked_count: 6,
        delay_ms_min: -6000,
        delay_ms_p50: 10,
        delay_ms_p95: 30,
        delay_ms_p99: 30,
        delay_ms_max: 30,
        ahead_count: 2,
        far_ahead_count: 1,
      },
    ]);
  });

  it('lists sessions whose end was never reported, but not provisional ones', async () => {
    const { records } = readRecording('resumed');
    await store.fill(records);
    expect(await store.read(sessionsWithoutEnd({ limit: 10 }))).toEqual([]);
    await store.fill(records.filter((record) => record.type !== 'session.ended'));
    const [open, ...rest] = await store.read(sessionsWithoutEnd({ limit: 10 }));
    expect(open?.sources).toEqual(['hook', 'otel']);
    expect(rest).toEqual([]);
  });

  it('lists hook runs in which a hook failed', async () => {
    const run = (name: string, hook_error_count: number) =>
      auditRecord(name, {
        type: 'hook.executed',
        source: 'otel',
        facts: { session_id: 's1', hook_event: 'PreToolUse', hook_error_count },
      });
    await store.fill([run('good', 0), run('bad', 2)]);
    expect(await store.read(hookDeliveryErrors({ limit: 10 }))).toMatchObject([
      { id: auditRecord('bad').id, session_id: 's1', hook_event: 'PreToolUse', hook_error_count: 2 },
    ]);
  });
});
