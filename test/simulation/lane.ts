/** One partition of a run, from its event log to its sealed log. */
import type { Judge } from './judge.ts';
import type { PartitionModel } from './partition-model.ts';
import type { SimProcess } from './world.ts';

export interface Lane {
  readonly number: number;
  readonly log: string;
  readonly judge: Judge;
  readonly partition: PartitionModel;
  /** What senders sent, acknowledged or not. */
  readonly sent: (readonly number[])[];
  /** Whose the partition is, where a process has several. */
  owner: SimProcess | undefined;
  /** Key of an object that somebody else put where the next bundle goes. */
  foreignKey: string | undefined;
}

/** The judge of a log; of the first one for a key of no log. */
export type JudgeOf = (log: string | undefined) => Judge;
