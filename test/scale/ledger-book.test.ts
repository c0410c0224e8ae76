import { expect, it } from 'vitest';
import { createLedgerBook } from './ledger-book.ts';

const bundle = (startIndex: number, events: readonly number[]) => ({
  startIndex,
  leafTexts: events.map((event) => `leaf of ${String(event)}`),
  events,
});

it('finds nothing wrong where every acknowledged event is sealed once, in whatever log', () => {
  const book = createLedgerBook();
  for (const event of [1, 2, 3]) book.acknowledged(event);
  book.sealed('p0', bundle(0, [1, 3]));
  book.sealed('p1', bundle(0, [2, 4]));
  book.drained();
  expect(book.counts()).toEqual({ acked: 3, sealed: 4, lost: 0, twice: 0, forks: 0, false_alarms: 0 });
  expect(book.findings()).toEqual([]);
});

it('tells what is in no log, what is in two, and what is in one of them twice', () => {
  const book = createLedgerBook();
  for (const event of [1, 2, 3]) book.acknowledged(event);
  book.sealed('p0', bundle(0, [1, 2]));
  book.sealed('p1', bundle(0, [2]));
  book.sealed('p0', bundle(2, [1]));
  book.drained();
  expect(book.counts()).toMatchObject({ lost: 1, twice: 2 });
  expect(book.findings()).toHaveLength(3);
});

it('tells a head that is not on its log, and an alarm for nothing', () => {
  const book = createLedgerBook();
  book.sealed('p0', bundle(0, [1, 2]));
  book.judgeOf('p0').saw({ tree_size: 2, root_hash: '00'.repeat(32) });
  book.judgeOf('p0').checkHeads(undefined);
  book.falseAlarm('a process ended');
  expect(book.counts()).toMatchObject({ forks: 1, false_alarms: 1 });
});
