/** What is printed and written at the end. */
import type { Counts } from './judge.ts';
import { FAULT_KINDS, type FaultKind } from './plan.ts';

export interface KindTally {
  rounds: number;
  /** Rounds in which another fault struck, because this one could not be had here. */
  replaced: number;
  /** Starts with a clock clearly behind the log, after which everything was sealed. */
  sealed_behind: number;
  seconds: number;
}

export type Tally = Partial<Record<FaultKind, KindTally>>;

export function addRound(tally: Tally, kind: FaultKind, round: Omit<KindTally, 'rounds'>): void {
  const sums = (tally[kind] ??= { rounds: 0, replaced: 0, sealed_behind: 0, seconds: 0 });
  sums.rounds += 1;
  sums.replaced += round.replaced;
  sums.sealed_behind += round.sealed_behind;
  sums.seconds += round.seconds;
}

export function renderTally(tally: Tally): string {
  const lines = FAULT_KINDS.flatMap((kind) => {
    const sums = tally[kind];
    if (sums === undefined) return [];
    const cells = [sums.rounds, sums.replaced, sums.sealed_behind, sums.seconds.toFixed(1)];
    return [[kind, ...cells.map(String)]];
  });
  const table = [['fault', 'rounds', 'replaced', 'sealed_behind', 'seconds'], ...lines];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((cells) => cells[column]!.length)));
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return table.map((cells) => cells.map(pad).join('  ')).join('\n');
}

export function renderCounts({ acked, sealed, lost, twice, forks, false_alarms }: Counts): string {
  return `acked=${acked} sealed=${sealed} lost=${lost} twice=${twice} forks=${forks} false_alarms=${false_alarms}`;
}

export function isClean({ lost, twice, forks, false_alarms }: Counts): boolean {
  return lost + twice + forks + false_alarms === 0;
}
