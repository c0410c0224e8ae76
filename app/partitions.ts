/**
 * The partitions that this process seals: where each stands, and what its sequencers have counted. `run-partition.ts` moves
 * a partition from one state to the next; the other roles read.
 */
import { NOTHING_COUNTED, type Sequencer, type SequencerCounters } from '../ingest/sequencer.ts';
import { PipelineError, type ErrorCode } from '../schemas/errors.ts';
import type { Ledger } from '../store/ledger/ledger.ts';

/** A sequencer and the ledger it appends to. */
export interface RunningSequencer {
  readonly sequencer: Sequencer;
  readonly ledger: Ledger;
}

/** `detail` names objects and numbers, never content. */
export interface PartitionState {
  readonly partition: number;
  readonly log: string;
  readonly state: 'sealing' | 'filling' | 'retrying' | 'parked' | 'idle';
  readonly reason?: ErrorCode;
  readonly detail?: string;
}

/** Why a partition does not seal. */
export interface PartitionFailure {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** A failure that nobody foresaw may quote content, so only its name is shown. */
export function toFailure(error: unknown): PartitionFailure {
  if (error instanceof PipelineError) return { code: error.code, detail: error.detail };
  const name = error instanceof Error ? error.name : 'an error without a name';
  return { code: 'INTERNAL', detail: `${name}; the line of this in the process log shows where` };
}

export class Partitions {
  readonly #logOf: (partition: number) => string;
  /** Partitions between two runs, with where they stand. */
  readonly #resting = new Map<number, Omit<PartitionState, 'partition' | 'log'>>();
  readonly #running = new Map<number, RunningSequencer>();
  readonly #ended: SequencerCounters[] = [];

  constructor(logOf: (partition: number) => string) {
    this.#logOf = logOf;
  }

  opening(partition: number): void {
    this.#resting.set(partition, { state: 'filling', detail: 'its log is being opened' });
  }

  /** Recovery has inserted the rows of so many leaves. A running sequencer says itself that it recovers. */
  fillingRows(partition: number, leavesDone: number, leavesTotal: number): void {
    if (this.#running.has(partition)) return;
    const detail = `rows of ${String(leavesDone)} of ${String(leavesTotal)} leaves`;
    this.#resting.set(partition, { state: 'filling', detail });
  }

  /** The partition waits until its log is reopened. */
  retrying(partition: number, { code, detail }: PartitionFailure): void {
    this.#resting.set(partition, { state: 'retrying', reason: code, detail });
  }

  /** The partition waits until it is assigned again, or until the next start. */
  parked(partition: number, { code, detail }: PartitionFailure): void {
    this.#resting.set(partition, { state: 'parked', reason: code, detail });
  }

  /** The partition is no longer assigned to this process. */
  forget(partition: number): void {
    this.#resting.delete(partition);
  }

  async run(partition: number, running: RunningSequencer, signal: AbortSignal): Promise<void> {
    this.#running.set(partition, running);
    this.#resting.delete(partition);
    try {
      await running.sequencer.run(signal);
    } finally {
      this.#running.delete(partition);
      this.#ended.push(running.sequencer.counters);
    }
  }

  /** In the order of their numbers. */
  states(): PartitionState[] {
    const running = [...this.#running].map(([partition, { sequencer }]) => ({
      partition,
      log: this.#logOf(partition),
      ...sequencer.state(),
    }));
    const resting = [...this.#resting].map(([partition, state]) => ({
      partition,
      log: this.#logOf(partition),
      ...state,
    }));
    return [...running, ...resting].sort((a, b) => a.partition - b.partition);
  }

  /** Ledgers that are open now. */
  ledgers(): Ledger[] {
    return [...this.#running.values()].map(({ ledger }) => ledger);
  }

  counters(): SequencerCounters {
    const running = [...this.#running.values()].map(({ sequencer }) => sequencer.counters);
    return sum([...this.#ended, ...running]);
  }
}

function sum(all: readonly SequencerCounters[]): SequencerCounters {
  const total: SequencerCounters = { ...NOTHING_COUNTED };
  for (const one of all) {
    for (const name of Object.keys(total) as (keyof SequencerCounters)[]) total[name] += one[name];
  }
  return total;
}
