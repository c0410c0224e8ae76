import { Admin, ConfigResourceTypes, type BaseOptions } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OffsetReader, TopicAdmin } from '../../../ingest/kafka/client.ts';
import { coordinatorMoves, orFailure } from './errors.ts';

const LOADING_PAUSE_MS = 200;
const LOADING_TRIES = 50;
const LEADER_TRIES = 50;
const EARLIEST = -2n;
const LATEST = -1n;

export interface AdminParts {
  readonly topics: TopicAdmin;
  readonly offsets: OffsetReader;
  readonly close: () => Promise<void>;
}

export function createAdmin(options: BaseOptions): AdminParts {
  const admin = new Admin(options);
  return {
    topics: createTopicAdmin(admin),
    offsets: createOffsetReader(admin),
    close: async () => {
      await admin.close();
    },
  };
}

async function partitionsOf(admin: Admin, topic: string) {
  const metadata = await admin.metadata({ topics: [topic], forceUpdate: true });
  return metadata.topics.get(topic)?.partitions ?? [];
}

function createTopicAdmin(admin: Admin): TopicAdmin {
  return {
    list: async () => new Set(await orFailure(admin.listTopics())),
    create: async (topics) => {
      for (const { topic, partitions, replicationFactor, settings } of topics) {
        const configs = settings.map(({ name, value }) => ({ name, value }));
        const wanted = { topics: [topic], partitions, replicas: replicationFactor, configs };
        await orFailure(admin.createTopics(wanted));
        await orFailure(untilLed(admin, topic, partitions));
      }
    },
    idOf: async (topic) => {
      const { topics } = await orFailure(admin.metadata({ topics: [topic], forceUpdate: true }));
      return topics.get(topic)?.id;
    },
    describe: async (topic, settingNames) => {
      const partitions = await orFailure(partitionsOf(admin, topic));
      const resource = {
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: topic,
        configurationKeys: [...settingNames],
      };
      const found = await orFailure(admin.describeConfigs({ resources: [resource], includeSynonyms: false }));
      return {
        partitions: partitions.length,
        replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        settings: new Map(
          found.flatMap(({ configs }) => configs).map(({ name, value }) => [name, value ?? '']),
        ),
      };
    },
  };
}

/** The library resolves when the controller has the topic; the brokers may not know it yet. */
async function untilLed(admin: Admin, topic: string, partitions: number): Promise<void> {
  for (let tried = 1; tried <= LEADER_TRIES; tried++) {
    const found = await partitionsOf(admin, topic).catch(() => []);
    if (found.length === partitions && found.every(({ leader }) => leader >= 0)) return;
    await sleep(LOADING_PAUSE_MS);
  }
  throw new Error(`topic ${topic} has no leaders`);
}

function createOffsetReader(admin: Admin): OffsetReader {
  async function offsetsAt(topic: string, partitions: number, timestamp: bigint) {
    const asked = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp }));
    const found = await admin.listOffsets({ topics: [{ name: topic, partitions: asked }] });
    return new Map(
      found.flatMap((one) => one.partitions).map(({ partitionIndex, offset }) => [partitionIndex, offset]),
    );
  }
  return {
    fetchRanges: async (topic) => {
      const { length } = await orFailure(partitionsOf(admin, topic));
      const both = [offsetsAt(topic, length, EARLIEST), offsetsAt(topic, length, LATEST)];
      const [lows, highs] = await orFailure(Promise.all(both));
      return new Map(
        [...(lows ?? [])].map(([partition, low]) => [partition, { low, high: highs?.get(partition) ?? low }]),
      );
    },
    fetchCommits: async (groupId, topic) => {
      const groups = await orFailure(onceLoaded(() => admin.listConsumerGroupOffsets({ groups: [groupId] })));
      const commits = groups
        .flatMap(({ topics }) => topics)
        .filter(({ name }) => name === topic)
        .flatMap(({ partitions }) => partitions);
      return new Map(
        commits
          .filter(({ committedOffset }) => committedOffset >= 0n)
          .map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]),
      );
    },
  };
}

async function onceLoaded<T>(request: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await request();
    } catch (error) {
      if (tried === LOADING_TRIES || !coordinatorMoves(error)) throw error;
      await sleep(LOADING_PAUSE_MS);
    }
  }
}
