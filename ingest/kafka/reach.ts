import type { Range } from './offsets.ts';

/** How far a group has come in each partition, and whether that is as far as its messages went at the start. */
export interface Reach {
  /** Offsets behind what the group has committed; lower ones than are known change nothing. */
  learn(commits: ReadonlyMap<number, bigint>): void;
  /** This process has read a partition up to there. */
  pass(partition: number, next: bigint): void;
  isThere(): boolean;
  /** Where this process is to go on in a partition that it has read since it joined last. */
  expected(partition: number): bigint | undefined;
  /** Partitions may have been another's meanwhile. */
  forget(): void;
}

export function createReach(ranges: ReadonlyMap<number, Range>, commits: ReadonlyMap<number, bigint>): Reach {
  const done = new Map<number, bigint>([...ranges].map(([partition, { low }]) => [partition, low]));
  let held = new Map<number, bigint>();
  const raise = (partition: number, next: bigint): void => {
    const known = done.get(partition);
    if (known === undefined || next > known) done.set(partition, next);
  };
  for (const [partition, next] of commits) raise(partition, next);
  return {
    learn: (learnt) => {
      for (const [partition, next] of learnt) raise(partition, next);
    },
    pass: (partition, next) => {
      raise(partition, next);
      held.set(partition, next);
    },
    isThere: () => [...ranges].every(([partition, { high }]) => (done.get(partition) ?? 0n) >= high),
    expected: (partition) => held.get(partition),
    forget: () => {
      held = new Map();
    },
  };
}
