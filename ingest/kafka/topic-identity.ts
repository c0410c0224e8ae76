/**
 * Tells a topic from another one of the same name. A topic that was deleted and created again counts its offsets from 0.
 * Brokers give each topic an id. Where they give none, the known topic shows by entries before the ledger's offset that
 * were sealed.
 */
import { PipelineError } from '../../schemas/errors.ts';
import type { EntryMark } from '../event-log.ts';
import type { ReadFrame } from '../frame-reader.ts';
import type { KafkaClient } from './client.ts';
import { toPipelineError } from './errors.ts';
import { readMessage } from './messages.ts';
import { isGenerationOf, nameOfTopic } from './topic-generation.ts';

export interface TopicIdentity {
  /** Name of the event log in bundles and in the deployment file. */
  readonly eventLog: string;
  /** The MACs of entries bind this name. Without ids it is the same for all topics that ever had the topic's name. */
  readonly boundTo: string;
  /** Rejects with EVENT_LOG_REPLACED where the brokers give the topic another id than when it was opened. */
  requireSame(): Promise<void>;
  /**
   * Rejects with EVENT_LOG_REPLACED where entries of writers lie just before the place and none of them was sealed. Resolves
   * where no entry of a writer lies there, and without looking where the brokers give ids.
   */
  requireSealedBefore(place: SealedPlace): Promise<void>;
}

export interface SealedPlace {
  readonly partition: number;
  /** The ledger's next offset. */
  readonly from: bigint;
  /** First offset that the partition still holds. */
  readonly low: bigint;
  readonly read: ReadFrame;
  readonly isSealed: (mark: EntryMark) => boolean;
}

export interface TopicIdentityOptions {
  readonly client: Pick<KafkaClient, 'topics' | 'messages'>;
  readonly topic: string;
  /** The event log that the operator accepted. */
  readonly accepted: string | undefined;
}

/** Entries before the place that are looked at. One would do, but for messages of other programs. */
const LOOK_BACK_ENTRIES = 16;

/** Asks the brokers for the id. */
export async function identifyTopic({
  client,
  topic,
  accepted,
}: TopicIdentityOptions): Promise<TopicIdentity> {
  const opened = await client.topics.idOf(topic);
  const byName = nameOfTopic(topic);
  const byId = opened === undefined ? undefined : `kafka:${opened}`;
  const name = (id: string | undefined) => id ?? 'without an id';
  return {
    eventLog: byId ?? (accepted !== undefined && isGenerationOf(topic, accepted) ? accepted : byName),
    boundTo: byId ?? byName,
    requireSame: async () => {
      const found = await client.topics.idOf(topic).catch((error: unknown) => {
        throw toPipelineError(error, 'the id of the topic is not known');
      });
      if (found === opened) return;
      throw replaced(topic, `it was ${name(opened)} and is ${name(found)}`);
    },
    requireSealedBefore: async (place) => {
      if (opened !== undefined || place.from <= place.low) return;
      const { partition, from } = place;
      if ((await lookBack(client, topic, place)) !== 'unsealed') return;
      throw replaced(
        topic,
        `partition ${partition} has entries before offset ${from} that were never sealed, and the brokers give no topic ids`,
      );
    },
  };
}

/** `undecided` where no entry of a writer is left there. */
async function lookBack(
  { messages }: Pick<KafkaClient, 'messages'>,
  topic: string,
  { partition, from, low, read, isSealed }: SealedPlace,
): Promise<'sealed' | 'unsealed' | 'undecided'> {
  let found: 'unsealed' | 'undecided' = 'undecided';
  const first = from - BigInt(LOOK_BACK_ENTRIES);
  let next = first > low ? first : low;
  while (next < from) {
    const some = await messages.readFrom({ topic, partition, from: next }).catch((error: unknown) => {
      throw toPipelineError(error, 'the entries before the place of the ledger are not known');
    });
    for (const message of some) {
      if (message.offset >= from) return found;
      const entry = readMessage(read, message);
      if (!('envelope' in entry) || entry.mark === undefined) continue;
      if (isSealed(entry.mark)) return 'sealed';
      found = 'unsealed';
    }
    const last = some.at(-1);
    if (last === undefined || last.offset < next) return found;
    next = last.offset + 1n;
  }
  return found;
}

function replaced(topic: string, how: string): PipelineError {
  return new PipelineError('EVENT_LOG_REPLACED', `topic ${topic} was deleted and created again: ${how}`);
}
