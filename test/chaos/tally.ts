/** What the rounds have shown, beside the counts of events. In: the figures of each round. Out: the verdict. Pure. */
import type { Counts } from '../torture/judge.ts';
import type { BadPartition } from './bad-partition.ts';

export interface RoundFigures {
  readonly strikes: readonly string[];
  /** The longest stall of a partition that was not made bad. */
  readonly stallMs: number;
  /** The same without a strike, where one was made bad. */
  readonly calmStallMs?: number | undefined;
  readonly bad?: Pick<BadPartition, 'isParked'> | undefined;
}

export interface Tally {
  note(round: RoundFigures): void;
  isWell(counts: Counts): boolean;
  describe(counts: string): string;
}

/** A healthy partition may stop for so much longer because of a bad one. */
const MAX_STALL_MS = 5_000;

export function createTally(): Tally {
  const longestMs = new Map<string, number>();
  const rounds = new Map<string, number>();
  let toPark = 0;
  let parked = 0;
  let besideBadMs = 0;
  let becauseOfBadMs = 0;
  return {
    note({ strikes, stallMs, calmStallMs = 0, bad: badPartition }) {
      for (const name of strikes) {
        longestMs.set(name, Math.max(longestMs.get(name) ?? 0, stallMs));
        rounds.set(name, (rounds.get(name) ?? 0) + 1);
      }
      if (badPartition === undefined) return;
      if (badPartition.isParked !== undefined) toPark += 1;
      if (badPartition.isParked === true) parked += 1;
      besideBadMs = Math.max(besideBadMs, stallMs);
      becauseOfBadMs = Math.max(becauseOfBadMs, stallMs - calmStallMs);
    },
    isWell: ({ lost, twice, forks, false_alarms }) =>
      lost + twice + forks + false_alarms === 0 && parked === toPark && becauseOfBadMs <= MAX_STALL_MS,
    describe(counts) {
      const rows = [...longestMs].map(
        ([name, ms]) => `${name}: ${String(rounds.get(name))} times, longest stall ${seconds(ms)} s`,
      );
      const figures = [
        counts,
        `parked_as_intended=${String(parked)}/${String(toPark)}`,
        `longest_stall_beside_a_bad_partition_s=${seconds(besideBadMs)}`,
        `because_of_it_s=${seconds(becauseOfBadMs)}`,
      ];
      return `${[...rows.sort(), figures.join(' ')].join('\n')}\n`;
    },
  };
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
