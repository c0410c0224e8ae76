import type { Kafka } from 'kafkajs';
import type { Envelope } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { EventLog } from '../event-log.ts';
import { createAsker, type Asker } from './asker.ts';
import { runAssigned, type Run } from './assignments.ts';
import { createClient } from './client.ts';
import { consumePartition, type ConsumerContext } from './consumer.ts';
import { toPipelineError, toStartError, withDeadline } from './errors.ts';
import { createGroup, type Group } from './group.ts';
import { createEncoder, toDeadLetter, type Outgoing } from './messages.ts';
import { fetchRanges, watchOffsets, type OffsetWatch } from './offsets.ts';
import type { KafkaEventLogOptions } from './options.ts';
import { createPressure, type Load, type Pressure } from './pressure.ts';
import { createSender, type Sender } from './producer.ts';
import { prepareTopics, type PreparedTopics } from './topics.ts';

/** An event log whose partitions are shared out among processes. */
export interface KafkaEventLog extends EventLog {
  /**
   * Runs `run` for each partition while the group gives it to this process; see `runAssigned`. What `run` opens for its
   * partition, as the ledger, is opened anew each time, since another process may have written to it meanwhile.
   */
  assignments(run: Run, signal: AbortSignal): Promise<void>;
}

/**
 * The event log on Kafka. Connects, creates or checks the topics, and rejects with START_REFUSED where they are not what
 * the options say, and with LOG_UNAVAILABLE where no broker answers in time.
 *
 * - An append is kept by all in-sync replicas when it resolves. Envelopes of one key keep their order; those of several
 *   keys may lie in several partitions, and a rejected append may have been kept in some of them.
 * - An append is refused with BODY_TOO_LARGE where the topic would not take the envelope.
 * - `consume` joins the group and waits until the partition is this process's. It rejects with START_REFUSED where the
 *   log does not hold `from`, and with LOG_UNAVAILABLE when the partition goes to another process: ask the ledger anew.
 * - What another program wrote to the topic and is no envelope is kept in the dead-letter topic, at least once.
 * - `lag` counts over all partitions; its bytes are an estimate.
 */
export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<KafkaEventLog> {
  const kafka = createClient(options);
  const asker = createAsker({ kafka });
  const pressure = createPressure(options);
  const { topic, groupId, logger } = options;
  let watch: OffsetWatch | undefined;
  try {
    const prepared = await withDeadline(start(asker, options), options.startDeadlineMs ?? 15_000, 'brokers');
    watch = watchOffsets({ asker, topic, groupId, pressure, logger });
    await watch.refresh();
    return assemble({ kafka, asker, pressure, watch, prepared }, options);
  } catch (error) {
    watch?.stop();
    asker.close().catch(() => undefined);
    throw toStartError(error, `event log on ${options.brokers.join(', ')} cannot be opened`);
  }
}

function start({ ask }: Asker, options: KafkaEventLogOptions): Promise<PreparedTopics> {
  return ask((admin) => prepareTopics(admin, options));
}

interface Parts {
  readonly kafka: Kafka;
  readonly asker: Asker;
  readonly pressure: Pressure;
  readonly watch: OffsetWatch;
  readonly prepared: PreparedTopics;
}

function assemble(parts: Parts, options: KafkaEventLogOptions): KafkaEventLog {
  const { asker, pressure, watch } = parts;
  const sender = openSender(parts, options);
  const group = createGroup({
    kafka: parts.kafka,
    topic: options.topic,
    groupId: options.groupId,
    partitions: options.partitions,
    sessionTimeoutMs: options.sessionTimeoutMs ?? 30_000,
    rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
    logger: options.logger,
  });
  const encode = createEncoder({ ...options, maxMessageBytes: parts.prepared.maxMessageBytes });
  const context = toContext(parts, options, group, sender);
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
    await Promise.allSettled([sender.close(), group.close()]);
    await asker.close();
  }

  return {
    append: async (envelopes) => {
      if (closing !== undefined) throw new PipelineError('LOG_UNAVAILABLE', 'event log is closed');
      if (envelopes.length === 0) return;
      watch.want();
      await append(sender, pressure, envelopes, envelopes.map(encode));
    },
    consume: async (asked, onBatch) => {
      if (asked.partition < 0 || asked.partition >= options.partitions) {
        throw new RangeError(`the event log has partitions 0 to ${options.partitions - 1}`);
      }
      const signal = AbortSignal.any([asked.signal, stopped.signal]);
      await untilEnded(consumePartition(context, { ...asked, signal }, onBatch));
    },
    assignments: (run, signal) =>
      untilEnded(runAssigned(group, options.logger, run, AbortSignal.any([signal, stopped.signal]))),
    lag: async () => {
      await watch.refresh();
      return pressure.lag();
    },
    close: () => (closing ??= close()),
  };
}

async function append(
  sender: Sender,
  pressure: Pressure,
  envelopes: readonly Envelope[],
  messages: readonly Outgoing[],
): Promise<void> {
  const leave = admitAll(pressure, envelopes, messages);
  try {
    await sender.send(messages);
  } finally {
    leave();
  }
}

/** All of an append or nothing of it. */
function admitAll(
  pressure: Pressure,
  envelopes: readonly Envelope[],
  messages: readonly Outgoing[],
): () => void {
  const loads = new Map<string, Load>();
  messages.forEach(({ bytes }, index) => {
    const collector = envelopes[index]?.principal ?? '';
    const load = loads.get(collector) ?? { collector, envelopes: 0, bytes: 0 };
    loads.set(collector, { collector, envelopes: load.envelopes + 1, bytes: load.bytes + bytes });
  });
  const admitted: (() => void)[] = [];
  const leave = (): void => admitted.forEach((one) => one());
  try {
    for (const load of loads.values()) admitted.push(pressure.admit(load));
  } catch (error) {
    leave();
    throw error;
  }
  for (const { envelopes: count, bytes } of loads.values()) pressure.measure(count, bytes);
  return leave;
}

function openSender({ kafka, pressure, prepared }: Parts, options: KafkaEventLogOptions): Sender {
  return createSender({
    kafka,
    compression: options.compression ?? 'gzip',
    deadlineMs: options.appendDeadlineMs ?? 15_000,
    maxMessageBytes: prepared.maxMessageBytes,
    logger: options.logger,
    onWritten: (topic, partition, first, count) => {
      if (topic === options.topic) pressure.learn(partition, { end: first + BigInt(count) });
    },
  });
}

function toContext(
  { asker, pressure, prepared }: Parts,
  { topic, logger }: KafkaEventLogOptions,
  group: Group,
  sender: Sender,
): ConsumerContext {
  return {
    topic,
    group,
    pressure,
    logger,
    rangeOf: async (partition) => {
      try {
        const range = (await fetchRanges(asker, topic)).get(partition);
        if (range === undefined) throw new Error(`no partition ${partition}`);
        return range;
      } catch (error) {
        throw toPipelineError(error, 'offsets are not known');
      }
    },
    bury: (letters) => sender.send(letters.map((letter) => toDeadLetter(prepared.deadLetterTopic, letter))),
  };
}
