/**
 * The topics and their settings. In: the wanted state. Out: the topics as they are, or a refusal that names every
 * difference.
 */
import { PipelineError } from '../../schemas/errors.ts';
import type { NewTopic, TopicAdmin } from './client.ts';
import type { KafkaTopics } from './options.ts';

/** A record batch around one envelope: batch header, record header, key. */
const MESSAGE_OVERHEAD_BYTES = 64 * 1024;

interface Requirement {
  readonly name: string;
  /** Given to a topic that is created, and named in a refusal. */
  readonly wanted: string;
  readonly accepts: (found: string) => boolean;
}

interface TopicPlan {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly requirements: readonly Requirement[];
}

export interface PreparedTopics {
  readonly deadLetterTopic: string;
  /** The most bytes that one encoded envelope and its key may have together. */
  readonly maxMessageBytes: number;
}

/** Rejects with START_REFUSED unless both topics are, or were created, as the options say. */
export async function prepareTopics(admin: TopicAdmin, options: KafkaTopics): Promise<PreparedTopics> {
  const deadLetterTopic = options.deadLetterTopic ?? `${options.topic}.dead-letters`;
  const { replicationFactor } = options;
  const requirements = requirementsOf(options);
  const plans: TopicPlan[] = [
    { topic: options.topic, partitions: options.partitions, replicationFactor, requirements },
    { topic: deadLetterTopic, partitions: 1, replicationFactor, requirements },
  ];
  await createMissing(admin, plans, options.createTopics);
  const checked = await Promise.all(plans.map((plan) => checkTopic(admin, plan)));
  const differences = checked.flatMap((one) => one.differences);
  if (differences.length > 0) throw new PipelineError('START_REFUSED', differences.join('; '));
  const limits = checked.map(({ settings }) => Number(settings.get('max.message.bytes')));
  return { deadLetterTopic, maxMessageBytes: Math.min(...limits) - MESSAGE_OVERHEAD_BYTES };
}

function requirementsOf(options: KafkaTopics): Requirement[] {
  const exactly = (name: string, wanted: string): Requirement => ({
    name,
    wanted,
    accepts: (found) => found === wanted,
  });
  const atLeast = (name: string, wanted: number): Requirement => ({
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
    // A replica that was behind must not become the leader: it lacks messages that were acknowledged.
    exactly('unclean.leader.election.enable', 'false'),
  ];
}

async function createMissing(
  admin: TopicAdmin,
  plans: readonly TopicPlan[],
  mayCreate: boolean,
): Promise<void> {
  // The topics are found in the list of all. A request by name makes some brokers create a topic, with their settings.
  const existing = await admin.list();
  const missing = plans.filter(({ topic }) => !existing.has(topic));
  if (missing.length === 0) return;
  if (!mayCreate) {
    const names = missing.map(({ topic }) => topic).join(', ');
    throw new PipelineError(
      'START_REFUSED',
      `topic ${names} is missing: create it or let it be created; if it was there before, see docs/runbook.md`,
    );
  }
  await admin.create(missing.map(toNewTopic));
}

function toNewTopic({ topic, partitions, replicationFactor, requirements }: TopicPlan): NewTopic {
  const settings = requirements.map(({ name, wanted }) => ({ name, value: wanted }));
  return { topic, partitions, replicationFactor, settings };
}

interface CheckedTopic {
  readonly differences: readonly string[];
  readonly settings: ReadonlyMap<string, string>;
}

async function checkTopic(admin: TopicAdmin, plan: TopicPlan): Promise<CheckedTopic> {
  const { topic, requirements } = plan;
  const differences: string[] = [];
  const differs = (subject: string, found: string | number, wanted: string | number): void => {
    differences.push(`topic ${topic}: ${subject} is ${found}, wanted ${wanted}`);
  };
  const found = await admin.describe(
    topic,
    requirements.map(({ name }) => name),
  );
  if (found.partitions !== plan.partitions) differs('partitions', found.partitions, plan.partitions);
  if (found.replicationFactor < plan.replicationFactor) {
    differs('replication factor', found.replicationFactor, plan.replicationFactor);
  }
  for (const { name, wanted, accepts } of requirements) {
    const value = found.settings.get(name);
    if (value === undefined || !accepts(value)) differs(name, value ?? 'not known', wanted);
  }
  return { differences, settings: found.settings };
}
