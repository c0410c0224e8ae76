/**
 * One partition of the event log. Offsets rise and may skip; what was acknowledged may be forgotten (as the embedded
 * log does) or be delivered again (as Kafka does); whoever has read it once goes on reading, whoever owns it now.
 */
import type { EventLog, LoggedEnvelope } from '../../ingest/event-log.ts';
import type { Choices } from './choices.ts';
import type { Coverage } from './coverage.ts';
import type { Judge } from './judge.ts';
import type { Caller, Scheduler } from './scheduler.ts';
import { envelopeOf } from './subject.ts';

interface Entry {
  readonly offset: bigint;
  readonly records: readonly number[];
}

export interface PartitionModel {
  /** As a receiver does; the envelope is in the log when this returns. */
  append(records: readonly number[], skip: number): void;
  readonly entries: () => readonly Entry[];
  portOf(caller: Caller): EventLog;
}

export interface PartitionWorld {
  readonly scheduler: Scheduler;
  readonly coverage: Coverage;
  readonly judge: Judge;
  readonly choices: Choices;
  /** Whether it forgets what was acknowledged. */
  readonly forgets: boolean;
}

export function createPartitionModel(world: PartitionWorld): PartitionModel {
  const { scheduler, coverage, judge, choices, forgets } = world;
  let entries: readonly Entry[] = [];
  let nextOffset = 0n;

  const from = (offset: bigint) => entries.filter((entry) => entry.offset >= offset);

  /** As many as it likes; now and then it begins where this consumer began. */
  function fetch(position: bigint, beginning: bigint, maxEnvelopes: number): Entry[] {
    const isAgain = choices.byte() >= 244 && beginning < position;
    if (isAgain) coverage.count('delivered again');
    const there = from(isAgain ? beginning : position).slice(0, maxEnvelopes);
    const withheld = there.length > 1 ? choices.below(there.length) : 0;
    return there.slice(0, there.length - withheld);
  }

  return {
    entries: () => entries,
    append(records, skip) {
      if (skip > 0) coverage.count('offset skipped');
      entries = [...entries, { offset: nextOffset + BigInt(skip), records }];
      nextOffset += BigInt(skip) + 1n;
      for (const n of records) judge.appended.add(n);
    },
    portOf: (caller) => ({
      async consume({ from: beginning, maxEnvelopes, signal }, onBatch) {
        const failure = 'LOG_UNAVAILABLE';
        let position = beginning;
        while (!signal.aborted) {
          const fetched = await scheduler.call(caller, {
            name: 'event log read',
            failure,
            isReady: () => signal.aborted || from(position).length > 0,
            effect: () => (signal.aborted ? [] : fetch(position, beginning, maxEnvelopes)),
          });
          const last = fetched.at(-1);
          if (last === undefined) continue;
          await onBatch(fetched.map(toLogged));
          judge.eventLogAcknowledged(fetched.flatMap(({ records }) => records));
          await scheduler.call(caller, {
            name: 'event log acknowledge',
            failure,
            isWrite: true,
            effect: () => {
              if (forgets) entries = entries.filter((entry) => !fetched.includes(entry));
            },
          });
          position = last.offset + 1n;
        }
      },
      append: () => Promise.resolve(),
      lag: () => Promise.resolve({ envelopes: entries.length, bytes: 0 }),
      close: () => Promise.resolve(),
    }),
  };
}

function toLogged({ offset, records }: Entry): LoggedEnvelope {
  return { offset, envelope: envelopeOf(records) };
}
