/** Appends events of this program itself to the event log. */
import type { AppContext } from './context.ts';
import type { PartitionState } from './partitions.ts';
import type { EventLog } from '../ingest/event-log.ts';
import { partitionOf } from '../ingest/kafka/partition-of.ts';
import { OWN_SOURCE, toOwnEnvelope } from '../ingest/own-events.ts';
import { programKey, sourceKey } from '../schemas/envelope.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { NativeEvent } from '../schemas/native-event.ts';

export interface OwnEvents {
  /** Never throws. Keeps an event until `bind`; logs an event that the event log refuses. */
  report(event: NativeEvent): void;
  /**
   * Only processes with an event log turn their events into records; the others have just logged them.
   *
   * @param partitionKey asked for each event; undefined is the usual partition of these events
   */
  bind(eventLog: Pick<EventLog, 'append'>, partitionKey?: () => string | undefined): void;
}

export function createOwnEvents({ logger, system }: Pick<AppContext, 'logger' | 'system'>): OwnEvents {
  let target:
    { readonly eventLog: Pick<EventLog, 'append'>; readonly keyNow: () => string | undefined } | undefined;
  const waiting: NativeEvent[] = [];

  const append = ({ eventLog, keyNow }: NonNullable<typeof target>, event: NativeEvent) => {
    const envelope = toOwnEnvelope(event, system, keyNow());
    eventLog.append([envelope]).catch((error: unknown) => {
      const code = error instanceof PipelineError ? error.code : 'INTERNAL';
      logger.error({ code, type: event.type }, 'an event of this program could not be made a record');
    });
  };
  return {
    report(event) {
      if (target === undefined) waiting.push(event);
      else append(target, event);
    },
    bind(eventLog, partitionKey = () => undefined) {
      target = { eventLog, keyNow: partitionKey };
      for (const event of waiting.splice(0)) append(target, event);
    },
  };
}

/** Keys that are tried before an event goes to its usual partition after all. */
const MAX_KEYS = 10_000;

/**
 * A key that leads an event of this program around parked partitions: undefined while its usual partition is not parked
 * here, else a key of a partition that this process seals, else one of another process, which may be parked there.
 */
export function keyAroundParked(
  states: readonly PartitionState[],
  partitionCount: number,
): string | undefined {
  const parked = new Set(states.flatMap(({ state, partition }) => (state === 'parked' ? [partition] : [])));
  if (!parked.has(partitionOf(sourceKey(OWN_SOURCE), partitionCount))) return undefined;
  const here = new Set(states.flatMap(({ state, partition }) => (state === 'parked' ? [] : [partition])));
  let elsewhere: string | undefined;
  for (let number = 0; number < MAX_KEYS; number += 1) {
    const key = programKey(number);
    const partition = partitionOf(key, partitionCount);
    if (here.has(partition)) return key;
    if (!parked.has(partition)) elsewhere ??= key;
    if (here.size === 0 && elsewhere !== undefined) return elsewhere;
  }
  return elsewhere;
}
