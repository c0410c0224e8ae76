/** Topics and their settings. In: what they must be. Out: what they are, or a refusal that names every difference. */
import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import { PipelineError } from '../../schemas/errors.ts';
import type { KafkaTopics } from './options.ts';

/** A record batch around one envelope: batch header, record header, key. */
const MESSAGE_OVERHEAD_BYTES = 64 * 1024;

interface Setting {
  readonly name: string;
  /** Given to a topic that is created, and named in a refusal. */
  readonly wanted: string;
  readonly accepts: (found: string) => boolean;
}

interface TopicPlan {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly settings: readonly Setting[];
}

export interface PreparedTopics {
  readonly deadLetterTopic: string;
  /** What one encoded envelope and its key may have together. */
  readonly maxMessageBytes: number;
}

/** Rejects with START_REFUSED unless both topics are, or could be made, as the options say. */
export async function prepareTopics(admin: Admin, options: KafkaTopics): Promise<PreparedTopics> {
  const deadLetterTopic = options.deadLetterTopic ?? `${options.topic}.dead-letters`;
  const { replicationFactor } = options;
  const settings = settingsOf(options);
  const plans: TopicPlan[] = [
    { topic: options.topic, partitions: options.partitions, replicationFactor, settings },
    { topic: deadLetterTopic, partitions: 1, replicationFactor, settings },
  ];
  await createMissing(admin, plans, options.createTopics);
  const found = await Promise.all(plans.map((plan) => findProblems(admin, plan)));
  const problems = found.flatMap((one) => one.problems);
  if (problems.length > 0) throw new PipelineError('START_REFUSED', problems.join('; '));
  const limits = found.map(({ values }) => Number(values.get('max.message.bytes')));
  return { deadLetterTopic, maxMessageBytes: Math.min(...limits) - MESSAGE_OVERHEAD_BYTES };
}

function settingsOf(options: KafkaTopics): Setting[] {
  const exactly = (name: string, wanted: string): Setting => ({
    name,
    wanted,
    accepts: (found) => found === wanted,
  });
  const atLeast = (name: string, wanted: number): Setting => ({
    name,
    wanted: String(wanted),
    accepts: (found) => Number(found) >= wanted,
  });
  const retention = atLeast('retention.ms', options.minRetentionMs);
  return [
    exactly('cleanup.policy', 'delete'),
    exactly('message.timestamp.type', 'LogAppendTime'),
    atLeast('min.insync.replicas', options.minInSyncReplicas),
    { ...retention, accepts: (found) => found === '-1' || retention.accepts(found) },
    exactly('retention.bytes', '-1'),
    atLeast('max.message.bytes', options.maxEnvelopeBytes + 2 * MESSAGE_OVERHEAD_BYTES),
    // A replica that was behind must not become the log: what it lacks was acknowledged.
    exactly('unclean.leader.election.enable', 'false'),
  ];
}

async function createMissing(admin: Admin, plans: readonly TopicPlan[], mayCreate: boolean): Promise<void> {
  // Asking for a topic by name would create it on brokers that create topics by themselves, with settings of their own.
  const existing = new Set(await admin.listTopics());
  const missing = plans.filter(({ topic }) => !existing.has(topic));
  if (missing.length === 0) return;
  if (!mayCreate) {
    const names = missing.map(({ topic }) => topic).join(', ');
    throw new PipelineError(
      'START_REFUSED',
      `topic ${names} is missing: create it or let it be created; if it was there before, see docs/runbook.md`,
    );
  }
  await admin.createTopics({ topics: missing.map(toTopicConfig), waitForLeaders: true, timeout: 10_000 });
}

function toTopicConfig({ topic, partitions, replicationFactor, settings }: TopicPlan): ITopicConfig {
  return {
    topic,
    numPartitions: partitions,
    replicationFactor,
    configEntries: settings.map(({ name, wanted }) => ({ name, value: wanted })),
  };
}

interface Findings {
  readonly problems: readonly string[];
  readonly values: ReadonlyMap<string, string>;
}

async function findProblems(admin: Admin, plan: TopicPlan): Promise<Findings> {
  const { topic } = plan;
  const problems: string[] = [];
  const differs = (what: string, found: string | number, wanted: string | number): void => {
    problems.push(`topic ${topic}: ${what} is ${found}, wanted ${wanted}`);
  };
  const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
  const partitions = metadata.topics[0]?.partitions ?? [];
  if (partitions.length !== plan.partitions) differs('partitions', partitions.length, plan.partitions);
  const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
  if (replicas < plan.replicationFactor) differs('replication factor', replicas, plan.replicationFactor);

  const values = await readSettings(admin, plan);
  for (const { name, wanted, accepts } of plan.settings) {
    const found = values.get(name);
    if (found === undefined || !accepts(found)) differs(name, found ?? 'not told', wanted);
  }
  return { problems, values };
}

async function readSettings(admin: Admin, { topic, settings }: TopicPlan): Promise<Map<string, string>> {
  const { resources } = await admin.describeConfigs({
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topic,
        configNames: settings.map(({ name }) => name),
      },
    ],
    includeSynonyms: false,
  });
  const entries = resources.flatMap(({ configEntries }) => configEntries);
  return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
}
