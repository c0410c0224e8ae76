/**
 * One partition of the event log. Offsets rise and may skip; what was acknowledged may be forgotten (as the embedded
 * log does) or be delivered again (as Kafka does); whoever has read it once goes on reading, whoever owns it now. The log
 * can be lost: then another one, with another id, has its name. On the disk of a machine a power loss may take the newest
 * appends and removals that were not answered.
 */
import type { ConsumeOptions, EventLog, LoggedBatch, LoggedEnvelope } from '../../ingest/event-log.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Choices } from './choices.ts';
import type { Coverage } from './coverage.ts';
import type { Disk } from './disk-model.ts';
import type { Judge } from './judge.ts';
import type { Mutant } from './mutants.ts';
import type { Caller, Scheduler } from './scheduler.ts';
import { envelopeOf } from './subject.ts';

interface Entry {
  readonly offset: bigint;
  readonly records: readonly number[];
  /** Whether it holds no envelope: another program wrote it, or it is damaged. */
  readonly isDead?: boolean;
}

/** How many dead letters the sealed counts may say in the end. */
export interface DeadLetterBounds {
  readonly least: number;
  readonly most: number;
}

export interface PartitionModel {
  /** Id of the log that is there now. */
  id(): string;
  /** Offset after the last entry that was ever appended to it. */
  end(): bigint;
  /** As a receiver does; the envelope is in the log when this returns, and stays if its sender hears of it. */
  append(records: readonly number[], how: { readonly skip: number; readonly isAcknowledged: boolean }): void;
  /** As another program does that writes to the log. */
  appendDead(): void;
  deadLetters(): DeadLetterBounds;
  /** Records in entries that no consumer acknowledged. */
  unacknowledged(): readonly number[];
  /** Whether a receiver can append. */
  isReceiving(): boolean;
  /** Receivers end with the machine, and begin again when a sequencer has settled the log. */
  closeReceivers(): void;
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
  /** Where it lies, if a power loss can change it. */
  readonly disk: Disk | undefined;
}

const FAILURE = 'LOG_UNAVAILABLE';
const ON_DISK = 'event log';

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
  /** Records of which a sender heard that this log keeps them. */
  #promised: ReadonlySet<number> = new Set();
  #isReceiving = true;
  #dead: DeadLetterBounds = { least: 0, most: 0 };

  constructor(world: PartitionWorld) {
    this.#world = world;
  }

  id(): string {
    return this.#world.mutant === 'log_without_id' ? 'log-1' : `log-${this.#generation}`;
  }

  end(): bigint {
    return this.#nextOffset;
  }

  unacknowledged(): readonly number[] {
    return this.#from(this.#acknowledged).flatMap(({ records }) => records);
  }

  isReceiving(): boolean {
    return this.#isReceiving;
  }

  closeReceivers(): void {
    this.#isReceiving = this.#world.mutant === 'received_before_settled';
  }

  append(
    records: readonly number[],
    { skip, isAcknowledged }: Parameters<PartitionModel['append']>[1],
  ): void {
    const { coverage, judge, disk } = this.#world;
    if (skip > 0) coverage.count('offset skipped');
    const entry = { offset: this.#nextOffset + BigInt(skip), records };
    this.#wrote(() => {
      this.#entries = this.#entries.filter((one) => one !== entry);
      for (const n of records) if (!this.#promised.has(n)) judge.lostWithLog.add(n);
    });
    this.#entries = [...this.#entries, entry];
    this.#nextOffset = entry.offset + 1n;
    for (const n of records) {
      judge.appended.add(n);
      judge.lostWithLog.delete(n);
    }
    if (!isAcknowledged) return;
    this.#promised = new Set([...this.#promised, ...records]);
    disk?.flushed(ON_DISK, disk.now());
  }

  appendDead(): void {
    const entry = { offset: this.#nextOffset, records: [], isDead: true };
    this.#wrote(() => {
      this.#entries = this.#entries.filter((one) => one !== entry);
      this.#dead = { ...this.#dead, least: this.#dead.least - 1 };
    });
    this.#entries = [...this.#entries, entry];
    this.#nextOffset = entry.offset + 1n;
    this.#dead = { least: this.#dead.least + 1, most: this.#dead.most + 1 };
  }

  deadLetters(): DeadLetterBounds {
    return this.#dead;
  }

  /** Keeps how this log was before a change that a power loss may take. */
  #wrote(alsoUndo: () => void): void {
    const [generation, nextOffset, acknowledged] = [this.#generation, this.#nextOffset, this.#acknowledged];
    this.#world.disk?.wrote(ON_DISK, () => {
      if (generation !== this.#generation) return;
      this.#nextOffset = nextOffset;
      this.#acknowledged = acknowledged;
      alsoUndo();
    });
  }

  replace(): void {
    for (const { records } of this.#entries) for (const n of records) this.#world.judge.lostWithLog.add(n);
    const lost = this.#from(this.#acknowledged).filter(({ isDead }) => isDead === true).length;
    this.#dead = { ...this.#dead, least: this.#dead.least - lost };
    this.#generation += 1;
    this.#entries = [];
    this.#nextOffset = 0n;
    this.#low = 0n;
    this.#acknowledged = 0n;
    this.#promised = new Set();
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
        const effect = () => {
          this.#requireSame(opened);
          if (from === undefined) return;
          this.#requireHeld(opened, from);
          if (this.#world.disk !== undefined && this.#nextOffset < from) this.#shiftTo(from);
          this.#isReceiving = true;
        };
        await this.#world.scheduler.call(caller, { name: 'event log settle', failure: FAILURE, effect });
        return from ?? this.#low;
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
    const { scheduler, judge, disk } = this.#world;
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
      await onBatch({ ...toLogged(fetched, this.#world.mutant), nextOffset });
      judge.eventLogAcknowledged(fetched.flatMap(({ records }) => records));
      let moment = 0;
      await scheduler.call(caller, {
        name: 'event log acknowledge',
        failure: FAILURE,
        isWrite: true,
        isLocal: disk !== undefined,
        effect: () => {
          if (opened === this.id()) this.#acknowledge(fetched, nextOffset);
          moment = disk?.now() ?? 0;
        },
        onAnswered: () => disk?.flushed(ON_DISK, moment),
      });
      position = nextOffset;
    }
  }

  #acknowledge(fetched: readonly Entry[], nextOffset: bigint): void {
    const before = this.#entries;
    if (this.#world.forgets) this.#entries = before.filter((entry) => !fetched.includes(entry));
    const removed = before.filter((entry) => fetched.includes(entry));
    this.#wrote(() => (this.#entries = [...removed, ...this.#entries]));
    if (nextOffset > this.#acknowledged) this.#acknowledged = nextOffset;
  }

  /** An older copy of what the ledger has read: what it holds may be unsealed, so all of it is delivered from there on. */
  #shiftTo(from: bigint): void {
    this.#world.coverage.count('event log shifted');
    this.#entries = this.#entries.map((entry, place) => ({ ...entry, offset: from + BigInt(place) }));
    const again = this.#entries.filter(({ isDead }) => isDead === true).length;
    this.#dead = { ...this.#dead, most: this.#dead.most + again };
    this.#nextOffset = from + BigInt(this.#entries.length);
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

function toLogged(
  entries: readonly Entry[],
  mutant: Mutant | undefined,
): Pick<LoggedBatch, 'envelopes' | 'deadLetters'> {
  const dead = entries.filter(({ isDead }) => isDead === true).map(({ offset }) => offset);
  const envelopes = entries
    .filter(({ isDead }) => isDead !== true)
    .map(({ offset, records }): LoggedEnvelope => ({ offset, envelope: envelopeOf(records) }));
  return { envelopes, deadLetters: mutant === 'dead_letters_untold' ? [] : dead };
}
