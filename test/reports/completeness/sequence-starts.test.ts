import { describe, expect, it } from 'vitest';
import { jumpsOf, startsOf } from '../../../reports/completeness/sequence-starts.ts';
import { sequenceGaps } from '../../../reports/completeness/sequences.ts';
import type { SessionCounter } from '../../../store/records/queries/session-counters.ts';

type Run = [first: number, last: number, fromSecond: number, toSecond: number];
const instant = (second: number) => new Date(Date.UTC(2026, 2, 1) + second * 1000).toISOString();

function session(session_id: string, ...runs: Run[]): SessionCounter {
  const stretches = runs.map(([first, last, fromSecond, toSecond]) => ({
    first,
    last,
    first_at: instant(fromSecond),
    last_at: instant(toSecond),
    received_at: instant(1000),
  }));
  return { session_id, install_id: 'm1', is_provisional: false, is_asked: true, stretches };
}
const start = (session_id: string, run: Run): SessionCounter => ({
  ...session(session_id, run),
  is_provisional: true,
});

/** A session that ends at second 10 with number 10 and goes on at second 100 with number 40. */
const continued = (session_id = 'a', second = 100) =>
  session(session_id, [0, 10, 0, 10], [40, 50, second, second + 10]);

describe('a jump', () => {
  it.each<[string, SessionCounter[], boolean]>([
    ['a start ended just before it with the number before', [start('x', [0, 39, 50, 60])], true],
    ['there is no start', [], false],
    ['the start ended with another number', [start('x', [0, 38, 50, 60])], false],
    ['the start ended after it', [start('x', [0, 39, 50, 101])], false],
    ['an earlier jump took the start up', [start('x', [0, 39, 50, 60]), continued('b', 70)], false],
    ['a later jump could take it up too', [start('x', [0, 39, 50, 60]), continued('b', 110)], true],
    [
      'an earlier jump took up one of two starts',
      [start('x', [0, 39, 50, 60]), start('y', [0, 39, 52, 62]), continued('b', 70)],
      true,
    ],
    ['the earlier jump came before the start ended', [start('x', [0, 39, 50, 80]), continued('b', 70)], true],
  ])('is explained or not: %s', (_, others, isExplained) => {
    const starts = startsOf([continued(), ...others]);
    expect(jumpsOf(continued()).map((jump) => starts.explains(jump))).toEqual([isExplained]);
  });

  it.each<[string, SessionCounter[], number]>([
    ['between the two events', [start('x', [0, 37, 50, 60])], 37],
    ['that is the longer of two', [start('x', [0, 37, 50, 60]), start('y', [0, 30, 70, 80])], 37],
    ['that began before the event before', [start('x', [0, 37, 9, 60])], -1],
    ['that ended after the jump', [start('x', [0, 37, 50, 101])], -1],
    ['that lost nothing', [start('x', [0, 39, 50, 60])], -1],
    ['that counted further than the jump', [start('x', [0, 45, 50, 60])], -1],
    ['that another jump took up', [start('x', [0, 37, 50, 60]), session('b', [38, 40, 70, 72])], -1],
    [
      'that no jump took up, because that came earlier',
      [start('x', [0, 37, 50, 60]), session('b', [38, 40, 55, 57])],
      37,
    ],
  ])('begins a hole behind a start %s', (_, others, reached) => {
    const starts = startsOf([continued(), ...others]);
    expect(jumpsOf(continued()).map((jump) => starts.reachedBefore(jump))).toEqual([reached]);
  });
});

describe('holes of several runs', () => {
  it('that begin with the same number and are noticed at once count once', () => {
    const twice = session('a', [0, 3, 0, 3], [6, 9, 6, 9], [0, 3, 20, 23], [8, 9, 28, 29]);
    expect(sequenceGaps([twice])).toEqual([
      { session_id: 'a', install_id: 'm1', missing_from: 4, missing_to: 7, noticed_at: instant(1000) },
    ]);
  });
});
