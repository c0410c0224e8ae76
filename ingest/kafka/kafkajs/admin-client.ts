/**
 * Requests to the brokers about topics, settings and offsets.
 *
 * Defects of kafkajs:
 * - It can wait without end for an answer that was lost with its connection. Each request has a deadline, and the
 *   connection of a request that missed it is not used again.
 * - It gives up too early on a broker that still loads its groups, and at once where a partition has just got its leader or
 *   another one, which it would not look for before its metadata is old. Such a request is repeated here, after a change of
 *   the leader over another connection.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import type { OffsetReader, TopicAdmin } from '../client.ts';
import { withDeadline } from '../errors.ts';
import { RETRY } from './connect.ts';
import { isLoading, leaderMoves, orFailure } from './errors.ts';

export interface AdminClient {
  /** Rejects with LOG_UNAVAILABLE where no answer comes in time, else as kafkajs does. */
  readonly request: <T>(send: (admin: Admin) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

export interface AdminClientOptions {
  readonly kafka: Pick<Kafka, 'admin'>;
  /** @default 45000, as long as kafkajs tries by itself */
  readonly deadlineMs?: number;
}

/** A question to the brokers without an answer by then is given up. */
const DEADLINE_MS = 45_000;
/** The time that the brokers have to create a topic. */
const CREATE_TIMEOUT_MS = 10_000;
/** Pause before a question is repeated while a broker loads its groups or a partition has no leader. */
const REPEAT_PAUSE_MS = 200;
const LOADING_TRIES = 50;
const LEADER_TRIES = 10;

/** Connects at the first request. */
export function createAdminClient({ kafka, deadlineMs = DEADLINE_MS }: AdminClientOptions): AdminClient {
  let current: Promise<Admin> | undefined;

  async function connect(): Promise<Admin> {
    const admin = kafka.admin({ retry: RETRY });
    try {
      await admin.connect();
    } catch (error) {
      admin.disconnect().catch(() => undefined);
      throw error;
    }
    return admin;
  }

  function drop(connected: Promise<Admin>): void {
    if (current === connected) current = undefined;
    connected.then((admin) => admin.disconnect()).catch(() => undefined);
  }

  return {
    request: async (send) => {
      const connected = (current ??= connect());
      const overdue = setTimeout(() => drop(connected), deadlineMs);
      connected.catch(() => drop(connected));
      try {
        return await withDeadline(connected.then(send), deadlineMs, 'brokers');
      } catch (error) {
        if (leaderMoves(error)) drop(connected);
        throw error;
      } finally {
        clearTimeout(overdue);
      }
    },
    close: async () => {
      const connected = current;
      current = undefined;
      const admin = await withDeadline(connected ?? Promise.resolve(undefined), deadlineMs, 'brokers').catch(
        () => undefined,
      );
      await admin?.disconnect().catch(() => undefined);
    },
  };
}

/** Topics as kafkajs knows them: without their ids. */
export function createTopicAdmin(client: AdminClient): Omit<TopicAdmin, 'idOf'> {
  const request = <T>(send: (admin: Admin) => Promise<T>): Promise<T> => orFailure(client.request(send));
  return {
    list: async () => new Set(await request((admin) => admin.listTopics())),
    create: async (topics) => {
      const configs = topics.map(({ topic, partitions, replicationFactor, settings }) => ({
        topic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: [...settings],
      }));
      await request((admin) =>
        admin.createTopics({ topics: configs, waitForLeaders: true, timeout: CREATE_TIMEOUT_MS }),
      );
    },
    describe: async (topic, settingNames) => {
      const metadata = await request((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
      const partitions = metadata.topics[0]?.partitions ?? [];
      const resource = {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topic,
        configNames: [...settingNames],
      };
      const { resources } = await request((admin) =>
        admin.describeConfigs({ resources: [resource], includeSynonyms: false }),
      );
      const entries = resources.flatMap(({ configEntries }) => configEntries);
      return {
        partitions: partitions.length,
        replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        settings: new Map(entries.map(({ configName, configValue }) => [configName, configValue])),
      };
    },
  };
}

export function createOffsetReader(client: AdminClient): OffsetReader {
  return {
    fetchRanges: async (topic) => {
      const found = await orFailure(
        repeatedWhile(leaderMoves, LEADER_TRIES, () =>
          client.request((admin) => admin.fetchTopicOffsets(topic)),
        ),
      );
      return new Map(
        found.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]),
      );
    },
    fetchCommits: async (groupId, topic) => {
      const groups = await orFailure(
        repeatedWhile(isLoading, LOADING_TRIES, () =>
          client.request((admin) => admin.fetchOffsets({ groupId, topics: [topic] })),
        ),
      );
      const commits = groups
        .flatMap(({ partitions }) => partitions)
        .map(({ partition, offset }) => [partition, BigInt(offset)] as const);
      // The brokers answer -1 for a partition in which the group has committed nothing.
      return new Map(commits.filter(([, next]) => next >= 0n));
    },
  };
}

async function repeatedWhile<T>(
  mayPass: (error: unknown) => boolean,
  tries: number,
  request: () => Promise<T>,
): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await request();
    } catch (error) {
      if (tried === tries || !mayPass(error)) throw error;
      await sleep(REPEAT_PAUSE_MS);
    }
  }
}
