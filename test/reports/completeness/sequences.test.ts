import { describe, expect, it } from 'vitest';
import { sequenceGaps } from '../../../reports/completeness/sequences.ts';
import type { AuditRecord } from '../../../schemas/record.ts';
import { sessionCounters } from '../../../store/records/queries/session-counters.ts';
import { shuffled, useQueryStore } from '../../support/query-store.ts';
import { readRecording, RECORDING_NAMES } from '../../support/recorded-records.ts';
import { auditRecord } from '../../support/sealed-rows.ts';

const store = useQueryStore();
type Asked = Parameters<typeof sessionCounters>[0];
const found = async (asked: Asked = {}) => sequenceGaps(await store.read(sessionCounters(asked)), asked);
const gaps = async () =>
  (await found()).map(({ session_id, missing_from, missing_to }) => [session_id, missing_from, missing_to]);

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

/** The received records, and the holes that must be found in them. */
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
      const all = await gaps();
      const table = HOLES.map(([name, received], n) => [
        name,
        received,
        all
          .filter(([session]) => String(session).endsWith(` ${n}`))
          .map(([session, from, to]) => [String(session).split(' ')[0], from, to]),
      ]);
      expect(table).toEqual(HOLES);
    }
  });

  it('belong to the period in which the record behind them arrived', async () => {
    await store.fill(without(counted('a', [0, 9], 0), 4));
    const at = (second: number) => new Date(Date.UTC(2026, 2, 1, 10) + second * 1000).toISOString();
    expect(await found({ from: at(0), to: at(5) })).toEqual([]);
    const gap = { session_id: 'a', install_id: 'm1', missing_from: 4, missing_to: 4, noticed_at: at(5) };
    expect(await found({ from: at(5), to: at(6) })).toEqual([gap]);
    expect(await found({ from: at(6) })).toEqual([]);
    expect(await found({ session_id: 'a' })).toEqual([gap]);
    expect(await found({ session_id: 'b' })).toEqual([]);
    expect(await found({ below: 4 })).toEqual([]);
  });

  it('of a session without order belong to the latest receipt of the next number that arrived', async () => {
    await store.fill([counted('a', [0, 20], 0), without(counted('a', [0, 15], 5), 9)].flat());
    // Number 10 of the two processes arrived in the seconds 10 and 15.
    const noticed_at = '2026-03-01T10:00:15.000Z';
    expect(await found()).toEqual([
      { session_id: 'a', install_id: 'm1', missing_from: 9, missing_to: 9, noticed_at },
    ]);
    expect(await found({ to: noticed_at })).toEqual([]);
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
      // One copy of the recording per lost record, each with separate sessions and a separate machine.
      const copies = numbered.flatMap((lost, copy) =>
        numbered.filter((record) => record !== lost).map((record) => renamed(record, copy)),
      );
      await store.fill(copies);
      const all = await gaps();
      for (const [copy, lost] of numbered.entries()) {
        const number = lost.facts.event_sequence!;
        const next = numbered[copy + 1]?.facts.event_sequence ?? 0;
        const ofCopy = all.filter(([session]) => String(session).endsWith(` ${copy}`));
        expect(
          ofCopy.map(([, from, to]) => [from, to]),
          `number ${number}`,
        ).toEqual(next > number ? [[number, number]] : []);
      }
    },
  );
});

function renamed(record: AuditRecord, copy: number): AuditRecord {
  const facts = { ...record.facts, session_id: `${record.facts.session_id!} ${copy}` };
  const person = { ...record.person, install_id: `${record.person!.install_id!} ${copy}` };
  return { ...record, id: auditRecord(`${record.id} ${copy}`).id, facts, person };
}
