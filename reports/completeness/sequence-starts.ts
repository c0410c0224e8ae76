/** Jumps in the numbers of the sessions of one machine, and the starts that explain them. Pure. */
import type { SessionCounter, Stretch } from '../../store/records/queries/session-counters.ts';
import { groupBy } from './group-by.ts';

/** An event that does not carry the number after the one before it. */
export interface Jump {
  readonly sessionId: string;
  readonly number: number;
  /** The number after that of the event before. Where the jump begins a run it is 0: each process counts from there. */
  readonly expected: number;
  readonly beginsRun: boolean;
  /** When the event before it occurred; '' for the first event of a session. */
  readonly previousAt: string;
  readonly at: string;
  readonly receivedAt: string;
}

/** A provisional session. Its process took up another session with the number after `reached`, or was broken off. */
interface Start {
  readonly reached: number;
  readonly beganAt: string;
  readonly endedAt: string;
}

/** The starts of one machine. */
export interface Starts {
  /**
   * Whether the process of a start went on with this jump. The start ended earlier and with the number just before.
   * Several processes may start at once. So the jump is the first of its number after a start, or up to it there are
   * as many such starts as jumps.
   */
  explains(jump: Jump): boolean;
  /**
   * The last number of a start that lost its last records before this jump, else -1. Such a start lies between the jump
   * and the event before it, stopped short of the jump, and no jump of the machine follows it exactly.
   */
  reachedBefore(jump: Jump): number;
}

/** Whether a stretch begins a run: its first number is not larger than the number before it. */
export function beginsRun(stretch: Stretch, previous: Stretch | undefined): boolean {
  return previous === undefined || stretch.first <= previous.last;
}

/** The jumps of a session in the order of the source's clock. A run that begins at 0 begins without a jump. */
export function jumpsOf({ session_id, stretches }: SessionCounter): Jump[] {
  return stretches.flatMap((stretch, place) => {
    const previous = stretches[place - 1];
    const expected = previous === undefined || beginsRun(stretch, previous) ? 0 : previous.last + 1;
    if (stretch.first === expected) return [];
    return {
      sessionId: session_id,
      number: stretch.first,
      expected,
      beginsRun: beginsRun(stretch, previous),
      previousAt: previous?.last_at ?? '',
      at: stretch.first_at,
      receivedAt: stretch.received_at,
    };
  });
}

/** The starts among the sessions of one machine, whose processes often begin with the same numbers: hence the searches. */
export function startsOf(sessions: readonly SessionCounter[]): Starts {
  const starts = sessions.filter(({ is_provisional }) => is_provisional).map(toStart);
  starts.sort((a, b) => compareText(a.endedAt, b.endedAt));
  const jumps = sessions.flatMap(jumpsOf).sort(byTime);
  const startsByNext = groupBy(starts, ({ reached }) => reached + 1);
  const jumpsByNumber = groupBy(jumps, ({ number }) => number);
  const brokenOff = starts.filter(({ reached, endedAt }) => {
    const lastJump = jumpsByNumber.get(reached + 1)?.at(-1);
    return lastJump === undefined || lastJump.at < endedAt;
  });
  return {
    explains(jump) {
      const fitting = startsByNext.get(jump.number) ?? [];
      const rivals = jumpsByNumber.get(jump.number) ?? [];
      const endedBy = (at: string) => countLeading(fitting, ({ endedAt }) => endedAt <= at);
      const earlier = rivals[countLeading(rivals, (rival) => byTime(rival, jump) < 0) - 1];
      const isFirstAfterStart = endedBy(jump.at) > (earlier === undefined ? 0 : endedBy(earlier.at));
      return (
        isFirstAfterStart || endedBy(jump.at) >= countLeading(rivals, (rival) => byTime(rival, jump) <= 0)
      );
    },
    reachedBefore({ number, previousAt, at }) {
      const lost = brokenOff.filter(
        ({ reached, beganAt, endedAt }) => reached < number - 1 && beganAt >= previousAt && endedAt <= at,
      );
      return lost.reduce((largest, { reached }) => Math.max(largest, reached), -1);
    },
  };
}

function toStart({ stretches }: SessionCounter): Start {
  return {
    reached: stretches.reduce((largest, { last }) => Math.max(largest, last), -1),
    beganAt: stretches[0]?.first_at ?? '',
    endedAt: stretches.at(-1)?.last_at ?? '',
  };
}

function byTime(a: Jump, b: Jump): number {
  return compareText(a.at, b.at) || compareText(a.sessionId, b.sessionId);
}

export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** How many items fulfil a condition that, in their order, only leading ones fulfil. */
function countLeading<Item>(items: readonly Item[], fulfils: (item: Item) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && fulfils(item)) low = middle + 1;
    else high = middle;
  }
  return low;
}
