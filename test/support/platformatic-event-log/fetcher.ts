/** Fetches from one partition, over connections that no other partition waits for. */
import {
  ConnectionPool,
  FetchIsolationLevels,
  fetchV17,
  type Base,
  type BaseOptions,
  type RecordsBatch,
} from '@platformatic/kafka';
import { FULL_FETCH_BYTES, type FetchedMessage, type OffsetReader } from '../../../ingest/kafka/client.ts';
import { kindOf, orFailure } from './errors.ts';

export interface Fetched {
  readonly messages: readonly FetchedMessage[];
  /** Offset after everything that was fetched, markers of transactions included. */
  readonly next: bigint;
}

export interface FetcherOptions {
  readonly topic: string;
  readonly partition: number;
  readonly offsets: OffsetReader;
  readonly lingerMs: number;
}

const WAIT_MS = 500;
const MAX_BYTES = 2 * 1024 * 1024;
const CONTROL_BATCH = 1 << 5;
const NO_SESSION = -1;

export class Fetcher {
  readonly #base: Base;
  readonly #options: FetcherOptions;
  readonly #connections: ConnectionPool;
  /** Set by a failed fetch: the leader may have changed. */
  #isStale = false;

  constructor(base: Base, library: BaseOptions, options: FetcherOptions) {
    this.#base = base;
    this.#options = options;
    this.#connections = new ConnectionPool(library.clientId, library);
  }

  /** Waits a moment for messages; resolves without any where none come. */
  async fetch(from: bigint): Promise<Fetched> {
    try {
      return toFetched(from, await orFailure(this.#request(from)));
    } catch (error) {
      this.#isStale = true;
      if (kindOf(error) !== 'OFFSET_OUT_OF_RANGE') throw error;
      // The first messages that are left tell the reader that its own are missing.
      const { topic, partition, offsets } = this.#options;
      const low = (await offsets.fetchRanges(topic)).get(partition)?.low ?? 0n;
      return toFetched(low, await orFailure(this.#request(low)));
    }
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }

  async #request(from: bigint): Promise<fetchV17.FetchResponsePartition | undefined> {
    const { topic, partition, lingerMs } = this.#options;
    const metadata = await this.#base.metadata({ topics: [topic], forceUpdate: this.#isStale });
    this.#isStale = false;
    const known = metadata.topics.get(topic);
    const leader = known?.partitions[partition];
    const broker = metadata.brokers.get(leader?.leader ?? -1);
    if (known === undefined || leader === undefined || broker === undefined) {
      throw new Error(`topic ${topic}, partition ${partition} has no leader`);
    }
    const connection = await this.#connections.get(broker);
    const wanted = {
      partition,
      currentLeaderEpoch: leader.leaderEpoch,
      fetchOffset: from,
      lastFetchedEpoch: -1,
      partitionMaxBytes: MAX_BYTES,
    };
    const answer = await fetchV17.api.async(
      connection,
      lingerMs === 0 ? WAIT_MS : lingerMs,
      lingerMs === 0 ? 1 : FULL_FETCH_BYTES,
      MAX_BYTES,
      FetchIsolationLevels.READ_COMMITTED,
      0,
      NO_SESSION,
      [{ topicId: known.id, partitions: [wanted] }],
      [],
      '',
    );
    return answer.responses[0]?.partitions[0];
  }
}

/** Batches come whole, also where only their last messages were asked for. */
function toFetched(from: bigint, answer: fetchV17.FetchResponsePartition | undefined): Fetched {
  const messages: FetchedMessage[] = [];
  let next = from;
  for (const batch of answer?.records ?? []) {
    const end = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
    if (end > next) next = end;
    if (isControl(batch)) continue;
    for (const { offsetDelta, key, value } of batch.records) {
      const offset = batch.firstOffset + BigInt(offsetDelta);
      if (offset >= from) messages.push({ offset, key, value });
    }
  }
  return { messages, next };
}

function isControl({ attributes }: RecordsBatch): boolean {
  return (attributes & CONTROL_BATCH) !== 0;
}
