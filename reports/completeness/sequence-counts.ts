/** Holes in the numbers of a session whose order proves nothing: numbers are counted instead. Pure. */
import { groupBy } from './group-by.ts';

/** Numbers from `first` to `last`, with the receipt of a record. */
export interface NumberSpan {
  readonly first: number;
  readonly last: number;
  readonly received_at: string;
}

/** Numbers that lie in the same spans. */
interface Piece {
  readonly first: number;
  readonly last: number;
  /** How often each of the numbers is carried. */
  readonly count: number;
  /** The latest receipt; '' where no span holds the numbers. */
  readonly receivedAt: string;
}

/**
 * The numbers that are missing where `carried` arrived, ascending. Every process gives out each number from 0 to its
 * last once, so a number that is carried less often than a larger one is missing somewhere. Missing numbers side by
 * side are one hole. Each of them is noticed by the latest receipt of the next number that is carried.
 */
export function missingNumbers(carried: readonly NumberSpan[]): NumberSpan[] {
  const holes: NumberSpan[] = [];
  let largestCount = 0;
  let noticedAt = '';
  for (const { first, last, count, receivedAt } of piecesOf(carried).reverse()) {
    if (count < largestCount) {
      const within = first < last ? receivedAt : '';
      const hole = { first, last, received_at: latest(noticedAt, within) };
      const next = holes.at(-1);
      if (next?.first === last + 1) holes[holes.length - 1] = joined(hole, next);
      else holes.push(hole);
    }
    largestCount = Math.max(largestCount, count);
    if (count > 0) noticedAt = receivedAt;
  }
  return holes.reverse();
}

/** The numbers from 0 to the largest, cut where a span begins or ends. */
function piecesOf(spans: readonly NumberSpan[]): Piece[] {
  const beginning = groupBy(spans, ({ first }) => first);
  const cuts = new Set([0, ...spans.flatMap(({ first, last }) => [first, last + 1])]);
  const bounds = [...cuts].sort((a, b) => a - b);
  let open: NumberSpan[] = [];
  return bounds.slice(0, -1).map((first, place) => {
    open = open.filter(({ last }) => last >= first).concat(beginning.get(first) ?? []);
    const receivedAt = open.reduce((newest, { received_at }) => latest(newest, received_at), '');
    return { first, last: (bounds[place + 1] ?? first) - 1, count: open.length, receivedAt };
  });
}

function joined(hole: NumberSpan, next: NumberSpan): NumberSpan {
  const received_at = latest(hole.received_at, next.received_at);
  return { first: hole.first, last: next.last, received_at };
}

function latest(a: string, b: string): string {
  return a > b ? a : b;
}
