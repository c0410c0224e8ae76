/**
 * Reads a few messages at a place, outside any consumer group, which kafkajs cannot. The request is version 12 of Fetch:
 * the oldest one that the library speaks, which brokers from 2.7 on answer.
 */
import { Base, ConnectionPool, FetchIsolationLevels, fetchV12 } from '@platformatic/kafka';
import type { FetchedMessage, MessagePlace, MessageReader } from '../client.ts';
import type { KafkaConnection } from '../options.ts';
import { toOptions } from './topic-id.ts';

/** Rejects as the library does. */
export interface ClosableMessageReader extends MessageReader {
  close(): Promise<void>;
}

/** The brokers send at least one batch of messages, however large, and with so small a bound no second one. */
const ONE_BATCH_BYTES = 1;
/** The messages are there already, so the brokers need not wait for any. */
const NO_WAIT_MS = 0;
const NO_SESSION = -1;
const ANY_EPOCH = -1;

/** Connects at the first request. */
export function createMessageReader(connection: KafkaConnection): ClosableMessageReader {
  const options = toOptions(connection);
  const base = new Base(options);
  const connections = new ConnectionPool(options.clientId, options);
  // After a failure the partition may have another leader.
  let isStale = false;

  async function fetchAt({ topic, partition, from }: MessagePlace): Promise<fetchV12.FetchResponse> {
    const { topics, brokers } = await base.metadata({ topics: [topic], forceUpdate: isStale });
    isStale = false;
    const broker = brokers.get(topics.get(topic)?.partitions[partition]?.leader ?? -1);
    if (broker === undefined) throw new Error(`topic ${topic}, partition ${partition} has no leader`);
    const wanted = {
      partition,
      currentLeaderEpoch: ANY_EPOCH,
      fetchOffset: from,
      lastFetchedEpoch: ANY_EPOCH,
      partitionMaxBytes: ONE_BATCH_BYTES,
    };
    return fetchV12.api.async(
      await connections.get(broker),
      NO_WAIT_MS,
      ONE_BATCH_BYTES,
      ONE_BATCH_BYTES,
      FetchIsolationLevels.READ_COMMITTED,
      0,
      NO_SESSION,
      [{ topicId: topic, partitions: [wanted] }],
      [],
      '',
    );
  }

  return {
    readFrom: async (place) => {
      try {
        return toMessages(await fetchAt(place)).filter(({ offset }) => offset >= place.from);
      } catch (error) {
        isStale = true;
        throw error;
      }
    },
    close: async () => {
      await Promise.all([connections.close(), base.close()]);
    },
  };
}

/** Batches come whole, also where only their last messages were asked for. */
function toMessages({ responses }: fetchV12.FetchResponse): FetchedMessage[] {
  const batches = responses[0]?.partitions[0]?.records ?? [];
  return batches.flatMap(({ firstOffset, records }) =>
    records.map(({ offsetDelta, key, value }) => ({
      offset: firstOffset + BigInt(offsetDelta),
      key,
      value,
    })),
  );
}
