/** The event log on Kafka. In: envelopes of the receivers. Out: batches of one partition for its sequencer. */
import type { Envelope } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { EventLog, Lag } from '../event-log.ts';
import { createFrameReader } from '../frame-reader.ts';
import { FrameWriter } from '../frame-writer.ts';
import { encodeEnvelope, encodeForWriter } from '../framing.ts';
import { AppendQueue } from './append-queue.ts';
import { runAssigned, type Run } from './assignments.ts';
import { BacklogHeads } from './backlog-heads.ts';
import { Backpressure, DEFAULT_MAX_IN_FLIGHT_BYTES, type Load } from './backpressure.ts';
import type { KafkaClient, Membership, OutgoingMessage } from './client.ts';
import { toPipelineError, toStartError, withDeadline } from './errors.ts';
import { createKafkajsClient } from './kafkajs/client.ts';
import { createEncoder, toDeadLetter, type Encode } from './messages.ts';
import { OffsetWatch } from './offset-watch.ts';
import type { KafkaConnection, KafkaEventLogOptions } from './options.ts';
import { consumePartition, settlePartition, type ConsumerContext } from './partition-consumer.ts';
import { identifyTopic, type TopicIdentity } from './topic-identity.ts';
import { prepareTopics, type PreparedTopics } from './topics.ts';

/** An event log whose partitions are shared out among processes. */
export interface KafkaEventLog extends EventLog {
  /**
   * Runs `run` for each partition while the group gives it to this process; see `runAssigned`. `run` opens the ledger of
   * its partition each time it is called, because another process may have written to it meanwhile.
   */
  assignments(run: Run, signal: AbortSignal): Promise<void>;
}

/** The brokers must answer within this time at the start. */
const START_DEADLINE_MS = 15_000;
/** An append that the brokers have not confirmed by then is rejected and may be sent again. */
const APPEND_DEADLINE_MS = 15_000;
/** The brokers give the partitions of a silent sequencer to another one after this time. */
const SESSION_TIMEOUT_MS = 30_000;
/** The time that a sequencer has to give up a partition before the brokers take it away. */
const REBALANCE_TIMEOUT_MS = 60_000;

/**
 * Connects, creates or checks the topics, and rejects with START_REFUSED where they differ from the options, and with
 * LOG_UNAVAILABLE where no broker answers in time.
 *
 * - An append is kept by all in-sync replicas when it resolves. Envelopes of one key keep their order; those of several
 *   keys may lie in several partitions, and a rejected append may have been kept in some of them.
 * - An append is refused with BODY_TOO_LARGE where the topic would not take the envelope.
 * - `consume` joins the group and waits until the partition is this process's. It rejects with START_REFUSED where the
 *   log does not hold `from`, and with LOG_UNAVAILABLE when the partition goes to another process: the caller then asks
 *   the ledger again where to begin.
 * - A message of another program that holds no envelope is kept in the dead-letter topic, at least once.
 * - `lag` counts over all partitions; its bytes are an estimate. It reads the first waiting message of each partition.
 */
export async function openKafkaEventLog(
  options: KafkaEventLogOptions,
  createClient: (connection: KafkaConnection) => KafkaClient = createKafkajsClient,
): Promise<KafkaEventLog> {
  const client = createClient(options);
  const backpressure = new Backpressure(options);
  const { topic, groupId, logger, startDeadlineMs = START_DEADLINE_MS } = options;
  let watch: OffsetWatch | undefined;
  try {
    const topics = await withDeadline(prepareTopics(client.topics, options), startDeadlineMs, 'brokers');
    const { acceptedEventLog: accepted } = options;
    const identifying = identifyTopic({ client, topic, accepted });
    const identity = await withDeadline(identifying, startDeadlineMs, 'brokers');
    const { offsets } = client;
    const requireSameTopic = () => identity.requireSame();
    watch = new OffsetWatch({ offsets, topic, groupId, backpressure, logger, requireSameTopic });
    await watch.refresh();
    return assemble({ client, backpressure, watch, topics, identity }, options);
  } catch (error) {
    watch?.stop();
    client.close().catch(() => undefined);
    throw toStartError(error, `event log on ${options.brokers.join(', ')} cannot be opened`);
  }
}

interface Parts {
  readonly client: KafkaClient;
  readonly backpressure: Backpressure;
  readonly watch: OffsetWatch;
  readonly topics: PreparedTopics;
  readonly identity: TopicIdentity;
}

function assemble(parts: Parts, options: KafkaEventLogOptions): KafkaEventLog {
  const { client, backpressure, watch, identity } = parts;
  const queue = openQueue(parts, options);
  const membership = openMembership(client, options);
  const heads = new BacklogHeads({ messages: client.messages, topic: options.topic, clock: options.clock });
  const encode = openEncoder(parts, options);
  const context = toContext(parts, options, { membership, queue });
  const stopped = new AbortController();
  const running = new Set<Promise<void>>();
  let closing: Promise<void> | undefined;

  async function untilEnded(work: Promise<void>): Promise<void> {
    running.add(work);
    try {
      await work;
    } finally {
      running.delete(work);
    }
  }

  async function close(): Promise<void> {
    stopped.abort();
    watch.stop();
    await Promise.allSettled(running);
    await Promise.allSettled([queue.close(), membership.close()]);
    await client.close();
  }

  return {
    id: identity.eventLog,
    settle: (partition, from, isSealed) => settlePartition(context, { partition, from, isSealed }),
    append: async (envelopes) => {
      if (closing !== undefined) throw new PipelineError('LOG_UNAVAILABLE', 'event log is closed');
      if (envelopes.length === 0) return;
      const replaced = watch.replaced();
      if (replaced !== undefined) throw replaced;
      watch.noteAppend();
      const messages = envelopes.map(encode);
      const release = admitAll(backpressure, envelopes, messages);
      try {
        await queue.append(messages);
      } finally {
        release();
      }
    },
    consume: async (asked, onBatch) => {
      if (asked.partition < 0 || asked.partition >= options.partitions) {
        throw new RangeError(`the event log has partitions 0 to ${options.partitions - 1}`);
      }
      const signal = AbortSignal.any([asked.signal, stopped.signal]);
      await untilEnded(consumePartition(context, { ...asked, signal }, onBatch));
    },
    assignments: (run, signal) => {
      const ending = AbortSignal.any([signal, stopped.signal]);
      return untilEnded(runAssigned(membership, options.logger, run, ending));
    },
    lag: async () => {
      await watch.refresh();
      return readLag(backpressure, heads);
    },
    close: () => (closing ??= close()),
  };
}

async function readLag(backpressure: Backpressure, heads: BacklogHeads): Promise<Lag> {
  const total = backpressure.lag();
  const waiting = backpressure.waiting();
  if (waiting.length === 0) return total;
  const received = await heads.read(waiting);
  const partitions = waiting.map(({ partition, envelopes }) => ({
    partition,
    envelopes,
    oldestReceivedAt: received.get(partition),
  }));
  // Of partitions that are not known one may hold the oldest envelope.
  const isKnown = received.size === waiting.length;
  return { ...total, oldestReceivedAt: isKnown ? [...received.values()].sort()[0] : undefined, partitions };
}

/** Admits the whole append or nothing of it. The result releases it. */
function admitAll(
  backpressure: Backpressure,
  envelopes: readonly Envelope[],
  messages: readonly OutgoingMessage[],
): () => void {
  const loads = new Map<string, Load>();
  messages.forEach(({ bytes }, index) => {
    const collector = envelopes[index]?.principal ?? '';
    const load = loads.get(collector) ?? { collector, envelopes: 0, bytes: 0 };
    loads.set(collector, { collector, envelopes: load.envelopes + 1, bytes: load.bytes + bytes });
  });
  const admitted: (() => void)[] = [];
  const release = (): void => admitted.forEach((one) => one());
  try {
    for (const load of loads.values()) admitted.push(backpressure.admit(load));
  } catch (error) {
    release();
    throw error;
  }
  for (const { envelopes: count, bytes } of loads.values()) backpressure.measure(count, bytes);
  return release;
}

function openMembership(client: KafkaClient, options: KafkaEventLogOptions): Membership {
  const { topic, groupId, partitions, logger, lingerMs = 0 } = options;
  const { sessionTimeoutMs = SESSION_TIMEOUT_MS, rebalanceTimeoutMs = REBALANCE_TIMEOUT_MS } = options;
  return client.openMembership({
    topic,
    groupId,
    partitions,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    lingerMs,
    logger,
  });
}

function openEncoder({ topics: { maxMessageBytes } }: Parts, options: KafkaEventLogOptions): Encode {
  const toFrame = options.numbering === undefined ? encodeEnvelope : encodeForWriter;
  return createEncoder({ ...options, toFrame, maxMessageBytes });
}

function openQueue(
  { client, backpressure, topics, identity }: Parts,
  options: KafkaEventLogOptions,
): AppendQueue {
  const { compression = 'gzip', appendDeadlineMs: deadlineMs = APPEND_DEADLINE_MS, logger } = options;
  const { partitions, maxInFlightBytes = DEFAULT_MAX_IN_FLIGHT_BYTES } = options;
  return new AppendQueue({
    openWriter: () => client.openWriter({ compression, deadlineMs }),
    openFrames: (topic, partition) => {
      const { numbering } = options;
      // Dead letters keep the bytes that were found.
      if (numbering === undefined || topic !== options.topic) return undefined;
      return new FrameWriter({ ...numbering, place: { logId: identity.boundTo, partition } });
    },
    deadlineMs,
    maxMessageBytes: topics.maxMessageBytes,
    // A partition that does not answer leaves half of the bytes in flight to the others.
    maxWaitingBytes: partitions === 1 ? maxInFlightBytes : maxInFlightBytes / 2,
    logger,
    onWritten: (topic, partition, firstOffset, count) => {
      if (topic === options.topic) backpressure.learn(partition, { end: firstOffset + BigInt(count) });
    },
  });
}

function toContext(
  { client, backpressure, topics, identity }: Parts,
  { topic, logger, numbering }: KafkaEventLogOptions,
  { membership, queue }: { readonly membership: Membership; readonly queue: AppendQueue },
): ConsumerContext {
  return {
    topic,
    membership,
    backpressure,
    logger,
    identity,
    openReader: ({ partition, mayBeUnnumbered = false }) => {
      const place = { logId: identity.boundTo, partition };
      return createFrameReader({ key: numbering?.key, place, mayBeUnnumbered });
    },
    rangeOf: async (partition) => {
      try {
        const range = (await client.offsets.fetchRanges(topic)).get(partition);
        if (range === undefined) throw new Error(`topic ${topic} has no partition ${partition}`);
        return range;
      } catch (error) {
        throw toPipelineError(error, 'offsets are not known');
      }
    },
    keepDeadLetters: (letters) =>
      queue.append(letters.map((letter) => toDeadLetter(topics.deadLetterTopic, letter))),
  };
}
