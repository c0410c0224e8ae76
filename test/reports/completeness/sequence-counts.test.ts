import { describe, expect, it } from 'vitest';
import { missingNumbers } from '../../../reports/completeness/sequence-counts.ts';

type Span = [first: number, last: number, received: string];

/** The numbers that were carried, and the holes that must be found in them. */
const CASES: [string, Span[], Span[]][] = [
  ['nothing', [], []],
  ['one process', [[0, 9, 'a']], []],
  [
    'two processes, one shorter',
    [
      [0, 9, 'a'],
      [0, 4, 'b'],
    ],
    [],
  ],
  [
    'a number that nobody carries',
    [
      [0, 2, 'a'],
      [4, 9, 'b'],
    ],
    [[3, 3, 'b']],
  ],
  ['the first numbers of all', [[2, 9, 'a']], [[0, 1, 'a']]],
  [
    'a number that one of two carries',
    [
      [0, 9, 'a'],
      [0, 2, 'b'],
      [4, 9, 'c'],
    ],
    [[3, 3, 'c']],
  ],
  [
    'several numbers that one of two carries, noticed with the latest of the next',
    [
      [0, 9, 'd'],
      [0, 2, 'b'],
      [6, 9, 'c'],
    ],
    [[3, 5, 'd']],
  ],
  [
    'a number that nobody carries beside one that one of two carries',
    [
      [0, 2, 'a'],
      [0, 1, 'b'],
      [4, 9, 'c'],
      [4, 9, 'd'],
    ],
    [[2, 3, 'd']],
  ],
  [
    'two holes',
    [
      [0, 1, 'a'],
      [3, 4, 'b'],
      [6, 6, 'c'],
    ],
    [
      [2, 2, 'b'],
      [5, 5, 'c'],
    ],
  ],
  [
    'a number that came twice',
    [
      [0, 9, 'a'],
      [5, 5, 'b'],
    ],
    [[0, 4, 'b']],
  ],
  [
    'numbers of any size',
    [
      [0, 3, 'a'],
      [9_000_000_000_000_000, 9_000_000_000_000_001, 'b'],
    ],
    [[4, 8_999_999_999_999_999, 'b']],
  ],
];

describe('numbers that are carried less often than larger ones', () => {
  it.each(CASES)('are missing: %s', (_, carried, missing) => {
    const toSpan = ([first, last, received_at]: Span) => ({ first, last, received_at });
    expect(missingNumbers(carried.map(toSpan))).toEqual(missing.map(toSpan));
  });
});
