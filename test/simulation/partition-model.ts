/**
 * One partition of the event log. Offsets rise and may skip; what was acknowledged may be forgotten (as the embedded
 * log does) or be delivered again (as Kafka does); whoever has read it once goes on reading, whoever owns it now. The log
 * can be lost: then another one, with another id, has its name.
 */
import type { ConsumeOptions, EventLog, LoggedBatch, LoggedEnvelope } from '../../ingest/event-log.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Choices } from './choices.ts';
import type { Coverage } from './coverage.ts';
import type { Judge } from './judge.ts';
import type { Mutant } from './mutants.ts';
import type { Caller, Scheduler } from './scheduler.ts';
import { envelopeOf } from './subject.ts';

interface Entry {
  readonly offset: bigint;
  readonly records: readonly number[];
}

export interface PartitionModel {
  /** Id of the log that is there now. */
  id(): string;
  /** Offset after the last entry that was ever appended to it. */
  end(): bigint;
  /** As a receiver does; the envelope is in the log when this returns. */
  append(records: readonly number[], skip: number): void;
  entries(): readonly Entry[];
  /** The log is lost, and an empty one takes its place. */
  replace(): void;
  /** Removes what was acknowledged, as the retention of Kafka does. */
  retain(): void;
  /** As a process opens the log that is there now. */
  portOf(caller: Caller): EventLog;
}

export interface PartitionWorld {
  readonly scheduler: Scheduler;
  readonly coverage: Coverage;
  readonly judge: Judge;
  readonly choices: Choices;
  readonly mutant: Mutant | undefined;
  /** Whether it forgets what was acknowledged. */
  readonly forgets: boolean;
}

const FAILURE = 'LOG_UNAVAILABLE';

export function createPartitionModel(world: PartitionWorld): PartitionModel {
  return new Partition(world);
}

class Partition implements PartitionModel {
  readonly #world: PartitionWorld;
  #generation = 1;
  #entries: readonly Entry[] = [];
  #nextOffset = 0n;
  /** First offset that the log still holds. Raised by `retain`. */
  #low = 0n;
  /** Offset after the last entry that a consumer acknowledged. */
  #acknowledged = 0n;

  constructor(world: PartitionWorld) {
    this.#world = world;
  }

  id(): string {
    return this.#world.mutant === 'log_without_id' ? 'log-1' : `log-${this.#generation}`;
  }

  end(): bigint {
    return this.#nextOffset;
  }

  entries(): readonly Entry[] {
    return this.#entries;
  }

  append(records: readonly number[], skip: number): void {
    const { coverage, judge } = this.#world;
    if (skip > 0) coverage.count('offset skipped');
    this.#entries = [...this.#entries, { offset: this.#nextOffset + BigInt(skip), records }];
    this.#nextOffset += BigInt(skip) + 1n;
    for (const n of records) {
      judge.appended.add(n);
      judge.lostWithLog.delete(n);
    }
  }

  replace(): void {
    for (const { records } of this.#entries) for (const n of records) this.#world.judge.lostWithLog.add(n);
    this.#generation += 1;
    this.#entries = [];
    this.#nextOffset = 0n;
    this.#low = 0n;
    this.#acknowledged = 0n;
  }

  retain(): void {
    this.#low = this.#acknowledged;
    this.#entries = this.#from(this.#low);
  }

  portOf(caller: Caller): EventLog {
    const opened = this.id();
    return {
      id: opened,
      settle: async (_, from) => {
        const effect = () => this.#requireHeld(opened, from);
        await this.#world.scheduler.call(caller, { name: 'event log settle', failure: FAILURE, effect });
      },
      consume: (options, onBatch) => this.#consume(caller, opened, options, onBatch),
      append: () => Promise.resolve(),
      lag: () => Promise.resolve({ envelopes: this.#entries.length, bytes: 0 }),
      close: () => Promise.resolve(),
    };
  }

  async #consume(
    caller: Caller,
    opened: string,
    options: ConsumeOptions,
    onBatch: (batch: LoggedBatch) => Promise<void>,
  ): Promise<void> {
    const { scheduler, judge, forgets } = this.#world;
    const { signal } = options;
    let position = options.from;
    while (!signal.aborted) {
      const fetched = await scheduler.call(caller, {
        name: 'event log read',
        failure: FAILURE,
        isReady: () => signal.aborted || opened !== this.id() || this.#from(position).length > 0,
        effect: () => {
          this.#requireSame(opened);
          return signal.aborted ? [] : this.#fetch(position, options);
        },
      });
      const last = fetched.at(-1);
      if (last === undefined) continue;
      const nextOffset = last.offset + 1n;
      await onBatch({ envelopes: fetched.map(toLogged), deadLetterCount: 0, nextOffset });
      judge.eventLogAcknowledged(fetched.flatMap(({ records }) => records));
      await scheduler.call(caller, {
        name: 'event log acknowledge',
        failure: FAILURE,
        isWrite: true,
        effect: () => {
          if (opened !== this.id()) return;
          if (nextOffset > this.#acknowledged) this.#acknowledged = nextOffset;
          if (forgets) this.#entries = this.#entries.filter((entry) => !fetched.includes(entry));
        },
      });
      position = nextOffset;
    }
  }

  /** As many as it likes; now and then it begins where this consumer began. */
  #fetch(position: bigint, { from, maxEnvelopes }: ConsumeOptions): Entry[] {
    const { choices, coverage } = this.#world;
    const isAgain = choices.byte() >= 244 && from < position;
    if (isAgain) coverage.count('delivered again');
    const there = this.#from(isAgain ? from : position).slice(0, maxEnvelopes);
    const withheld = there.length > 1 ? choices.below(there.length) : 0;
    return there.slice(0, there.length - withheld);
  }

  #from(offset: bigint): Entry[] {
    return this.#entries.filter((entry) => entry.offset >= offset);
  }

  #requireSame(opened: string): void {
    if (opened !== this.id()) throw new PipelineError('EVENT_LOG_REPLACED', `${opened} is ${this.id()} now`);
  }

  #requireHeld(opened: string, from: bigint): void {
    this.#requireSame(opened);
    if (from >= this.#low) return;
    throw new PipelineError('START_REFUSED', `offset ${from} was removed before it was sealed`);
  }
}

function toLogged({ offset, records }: Entry): LoggedEnvelope {
  return { offset, envelope: envelopeOf(records) };
}
