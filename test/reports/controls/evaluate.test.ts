import { describe, expect, it } from 'vitest';
import type { Control } from '../../../reports/controls/control.ts';
import { evaluateControl, notProven, restrictTo } from '../../../reports/controls/evaluate.ts';
import type { CompletenessStatement, CompletenessStatistic, ControlState } from '../../../schemas/control.ts';

const control: Control = {
  id: 'X1',
  title: 'Title',
  criterion: 'Criterion.',
  asks: 'Question.',
  populations: [],
  activity: ['changes'],
  when_no_activity: { state: 'not_applicable', reason: 'Nothing was changed.' },
  needed: [{ population: 'reviews', when_empty: 'no review was reported' }],
  rules: [],
  figures: [],
  required_statistics: ['S2', 'S6'],
  not_proven: [],
};

const statistic = (id: string, state: CompletenessStatistic['state']): CompletenessStatistic => ({
  id,
  name: `Name of ${id}`,
  state,
  figures: [],
  detail: `detail of ${id}`,
});

function statement(
  states: Record<string, CompletenessStatistic['state']>,
  findings: readonly string[] = [],
): CompletenessStatement {
  return {
    period: { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z' },
    state: 'complete',
    statistics: Object.entries(states).map(([id, state]) => statistic(id, state)),
    findings: findings.map((code) => ({
      code,
      session_id: null,
      tool_use_id: null,
      source: null,
      detail: '',
    })),
  };
}

const WHOLE = { S2: 'ok', S6: 'ok', S7: 'not_measured' } as const;

interface Case {
  readonly name: string;
  readonly counts: Record<string, number>;
  readonly exceptions: number;
  readonly states: Record<string, CompletenessStatistic['state']>;
  readonly ended?: boolean;
  readonly findings?: readonly string[];
  readonly state: ControlState;
  readonly reason: RegExp;
}

const both = { changes: 3, reviews: 3 };

const CASES: readonly Case[] = [
  {
    name: 'all tested, nothing found',
    counts: both,
    exceptions: 0,
    states: WHOLE,
    state: 'met',
    reason: /no rule found/,
  },
  {
    name: 'a canary that is missing, though canaries are not asked for',
    counts: both,
    exceptions: 0,
    states: { ...WHOLE, S9: 'failed' },
    state: 'not_tested',
    reason: /S9 \(Name of S9\) failed/,
  },
  {
    name: 'somebody expected who was not seen, though a roster is not asked for',
    counts: both,
    exceptions: 0,
    states: { ...WHOLE, S1: 'failed' },
    state: 'not_tested',
    reason: /S1 \(Name of S1\) failed/,
  },
  {
    name: 'a clock of a sender that was wrong',
    counts: both,
    exceptions: 0,
    states: { ...WHOLE, S5: 'failed' },
    state: 'met',
    reason: /no rule found/,
  },
  {
    name: 'our own clock that was wrong, though clocks are not asked for',
    counts: both,
    exceptions: 0,
    states: { ...WHOLE, S5: 'failed' },
    findings: ['clock_stepped'],
    state: 'not_tested',
    reason: /S5 \(Name of S5\) failed/,
  },
  {
    name: 'a collector that fell silent, though silence is not asked for',
    counts: both,
    exceptions: 0,
    states: { ...WHOLE, S7: 'failed' },
    state: 'not_tested',
    reason: /S7 \(Name of S7\) failed/,
  },
  {
    name: 'one exception, complete',
    counts: both,
    exceptions: 1,
    states: WHOLE,
    state: 'exception',
    reason: /^1 exception found\.$/,
  },
  {
    name: 'exceptions, incomplete',
    counts: both,
    exceptions: 2,
    states: { S2: 'failed', S6: 'ok' },
    state: 'exception',
    reason: /^2 exceptions found\. .*incomplete.*S2 \(Name of S2\) failed: detail of S2\.$/,
  },
  {
    name: 'nothing found, a required statistic failed',
    counts: both,
    exceptions: 0,
    states: { S2: 'failed', S6: 'ok' },
    state: 'not_tested',
    reason: /^S2 \(Name of S2\) failed/,
  },
  {
    name: 'nothing found, a required statistic not measured',
    counts: both,
    exceptions: 0,
    states: { S2: 'ok', S6: 'not_measured' },
    state: 'not_tested',
    reason: /S6 .*was not measured/,
  },
  {
    name: 'nothing found, a required statistic absent',
    counts: both,
    exceptions: 0,
    states: { S2: 'ok' },
    state: 'not_tested',
    reason: /S6 was not measured/,
  },
  {
    name: 'no activity, complete',
    counts: { changes: 0, reviews: 5 },
    exceptions: 0,
    states: WHOLE,
    state: 'not_applicable',
    reason: /Nothing was changed/,
  },
  {
    name: 'no activity, incomplete',
    counts: {},
    exceptions: 0,
    states: { S2: 'failed', S6: 'ok' },
    state: 'not_tested',
    reason: /S2/,
  },
  {
    name: 'a needed population is empty',
    counts: { changes: 3, reviews: 0 },
    exceptions: 0,
    states: WHOLE,
    state: 'not_tested',
    reason: /^No review was reported\.$/,
  },
  {
    name: 'the period runs still',
    counts: both,
    exceptions: 0,
    states: WHOLE,
    ended: false,
    state: 'not_tested',
    reason: /had not ended/,
  },
  {
    name: 'exceptions while the period runs still',
    counts: both,
    exceptions: 1,
    states: WHOLE,
    ended: false,
    state: 'exception',
    reason: /had not ended/,
  },
];

describe('the state of a control', () => {
  it.each(CASES)(
    'is $state for: $name',
    ({ counts, exceptions, states, findings, ended = true, state, reason }) => {
      const verdict = evaluateControl(control, {
        counts: new Map(Object.entries(counts)),
        exception_count: exceptions,
        completeness: restrictTo(statement(states, findings), control.required_statistics),
        period_ended: ended,
      });
      expect(verdict.state).toBe(state);
      expect(verdict.state_reason).toMatch(reason);
    },
  );

  it('is what the control says where activity is empty and absence proves nothing', () => {
    const verdict = evaluateControl(
      { ...control, when_no_activity: { state: 'not_tested', reason: 'Silence.' } },
      { counts: new Map(), exception_count: 0, completeness: statement(WHOLE), period_ended: true },
    );
    expect(verdict).toEqual({ state: 'not_tested', state_reason: 'Silence.' });
  });

  it.each([
    ['complete', WHOLE],
    ['incomplete', { S2: 'ok', S6: 'not_measured' }],
    ['incomplete', { S2: 'failed', S6: 'ok' }],
    ['incomplete', { S2: 'ok' }],
  ] as const)('calls the population %s for %j', (state, states) => {
    expect(restrictTo(statement(states), ['S2', 'S6']).state).toBe(state);
  });
});

describe('what is not proven', () => {
  it('names every statistic that was not measured, required or not', () => {
    const own = { ...control, not_proven: ['That reviewers read.'] };
    expect(notProven(own, statement({ ...WHOLE, S9: 'failed' }))).toEqual([
      'That reviewers read.',
      'That S7 (Name of S7) holds, which was not measured: detail of S7.',
    ]);
  });

  it('is pointed at where a control is met without all statistics', () => {
    const findings = {
      counts: new Map([
        ['changes', 1],
        ['reviews', 1],
      ]),
      exception_count: 0,
      period_ended: true,
    };
    const reason = (states: Parameters<typeof statement>[0]) =>
      evaluateControl(control, { ...findings, completeness: statement(states) });
    expect(reason(WHOLE)).toMatchObject({
      state: 'met',
      state_reason: expect.stringContaining('Not measured: S7') as string,
    });
    expect(reason({ S2: 'ok', S6: 'ok' }).state_reason).not.toContain('Not measured');
  });
});
