/** One partition's messages, in order, to one `onBatch`; acknowledged when it resolves. */
import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { Logger } from 'pino';
import { PipelineError } from '../../schemas/errors.ts';
import type { ConsumeOptions, LoggedEnvelope } from '../event-log.ts';
import { endsClaim } from './errors.ts';
import { HEARTBEAT_MS, type Group } from './group.ts';
import { decodeMessage, type DeadLetter } from './messages.ts';
import type { Range } from './offsets.ts';
import type { Pressure } from './pressure.ts';

export interface ConsumerContext {
  readonly topic: string;
  readonly group: Group;
  readonly pressure: Pressure;
  readonly logger: Logger;
  /** Asks the brokers. */
  readonly rangeOf: (partition: number) => Promise<Range>;
  /** Resolves when all of them are kept. */
  readonly bury: (letters: readonly DeadLetter[]) => Promise<void>;
}

const COMMIT_AGAIN_MS = 1_000;

export type OnBatch = (batch: readonly LoggedEnvelope[]) => Promise<void>;

/** `EventLog.consume`. Waits until the partition is this process's. */
export async function consumePartition(
  context: ConsumerContext,
  options: ConsumeOptions,
  onBatch: OnBatch,
): Promise<void> {
  const { group } = context;
  const { partition, from, signal } = options;
  if (signal.aborted) return;
  const joined = group.hold();
  try {
    await orAborted(joined, signal);
    await untilAssigned(group, partition, signal);
    if (isAborted(signal)) return;
    requireInside(context.topic, partition, from, await context.rangeOf(partition));
    await readUntilAborted(context, options, onBatch);
  } finally {
    joined.catch(() => undefined);
    group.release();
  }
}

async function readUntilAborted(
  context: ConsumerContext,
  options: ConsumeOptions,
  onBatch: OnBatch,
): Promise<void> {
  const { group } = context;
  const { partition, signal } = options;
  const position: Position = { next: options.from, kept: undefined };
  let inHand: Promise<void> | undefined;
  await new Promise<void>((resolve, reject) => {
    const end = (failure?: unknown): void => {
      signal.removeEventListener('abort', onAbort);
      clearInterval(again);
      group.detach(partition);
      if (failure === undefined || signal.aborted) resolve();
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- onBatch's own, whatever it is
      else reject(failure);
    };
    const onAbort = (): void => {
      if (inHand === undefined) end();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    // What was sealed and not committed, by this process or another before it, would count as waiting for ever.
    const again = setInterval(() => {
      if (inHand === undefined && position.kept !== position.next) group.commit(partition, position.next);
    }, COMMIT_AGAIN_MS);
    group.attach(partition, {
      next: () => position.next,
      kept: (next) => {
        position.kept = next;
        context.pressure.learn(partition, { done: next });
      },
      lose: (reason) => {
        if (inHand === undefined) end(reason);
        else inHand.finally(() => end(reason)).catch(() => undefined);
      },
      take: async (payload) => {
        if (payload.isStale() || signal.aborted) return;
        const delivery = deliver(context, options, { payload, position, onBatch });
        inHand = delivery.then(
          () => undefined,
          () => undefined,
        );
        let claim: EndOfClaim;
        try {
          claim = await delivery;
        } catch (error) {
          end(error);
        }
        inHand = undefined;
        if (isAborted(signal)) end();
        if (claim !== undefined) throw claim;
      },
    });
    if (signal.aborted) onAbort();
  });
}

interface Position {
  /** Offset after what is sealed. */
  next: bigint;
  /** What of it the brokers have been told. */
  kept: bigint | undefined;
}

interface Fetched {
  readonly payload: EachBatchPayload;
  readonly position: Position;
  readonly onBatch: OnBatch;
}

/** The error that tells the client to join the group again, if there was one. */
type EndOfClaim = Error | undefined;

async function deliver(
  context: ConsumerContext,
  options: ConsumeOptions,
  fetched: Fetched,
): Promise<EndOfClaim> {
  const { payload, position, onBatch } = fetched;
  const { partition, signal } = options;
  const pulse = keepAlive(payload);
  try {
    await requireSeamless(context, partition, position.next, payload.batch.messages);
    for (const chunk of cutIntoChunks(payload.batch.messages, options)) {
      if (signal.aborted || pulse.ended() !== undefined || !payload.isRunning()) break;
      await handle(context, partition, chunk, onBatch);
      const last = chunk.at(-1)?.offset ?? '';
      position.next = BigInt(last) + 1n;
      payload.resolveOffset(last);
      const claim = await acknowledge(context, payload, position.next);
      if (claim !== undefined) return claim;
    }
  } finally {
    pulse.stop();
  }
  return pulse.ended();
}

async function handle(
  { topic, bury, pressure, logger }: ConsumerContext,
  partition: number,
  chunk: readonly KafkaMessage[],
  onBatch: OnBatch,
): Promise<void> {
  const batch: LoggedEnvelope[] = [];
  const letters: DeadLetter[] = [];
  for (const message of chunk) {
    const decoded = decodeMessage(message);
    if ('envelope' in decoded) batch.push({ offset: BigInt(message.offset), envelope: decoded.envelope });
    else letters.push({ topic, partition, message, reason: decoded.unreadable });
  }
  pressure.measure(chunk.length, bytesOf(chunk));
  if (letters.length > 0) {
    await bury(letters);
    for (const { message, reason } of letters) {
      logger.error({ partition, offset: message.offset, reason }, 'no envelope, kept as a dead letter');
    }
  }
  if (batch.length > 0) await onBatch(batch);
}

/** The commit is a hint for others, and what lag is counted from; the ledger alone says what is sealed. */
async function acknowledge(
  { topic, logger }: ConsumerContext,
  payload: EachBatchPayload,
  next: bigint,
): Promise<EndOfClaim> {
  const { partition } = payload.batch;
  try {
    await payload.commitOffsetsIfNecessary({
      topics: [{ topic, partitions: [{ partition, offset: String(next) }] }],
    });
  } catch (error) {
    if (endsClaim(error) && error instanceof Error) return error;
    logger.warn({ partition }, 'offset not committed, it is tried again');
  }
  return undefined;
}

/** Heartbeats while a batch is in hand, however long it takes. */
function keepAlive(payload: EachBatchPayload): { ended: () => Error | undefined; stop: () => void } {
  let ended: Error | undefined;
  const timer = setInterval(() => {
    if (ended !== undefined) return;
    payload.heartbeat().catch((error: unknown) => {
      if (endsClaim(error) && error instanceof Error) ended = error;
    });
  }, HEARTBEAT_MS / 2);
  return { ended: () => ended, stop: () => clearInterval(timer) };
}

function cutIntoChunks(
  messages: readonly KafkaMessage[],
  { maxEnvelopes, maxBytes }: ConsumeOptions,
): KafkaMessage[][] {
  const chunks: KafkaMessage[][] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = message.value?.length ?? 0;
    const open = chunks.at(-1);
    if (open === undefined || open.length >= maxEnvelopes || bytes + size > maxBytes) {
      chunks.push([message]);
      bytes = size;
    } else {
      open.push(message);
      bytes += size;
    }
  }
  return chunks;
}

/**
 * Offsets may skip, but only where the log never had a message for anybody. The client goes to the log's first message
 * when the one that it asks for is not there: then what comes is before, or after a gap that retention cut.
 */
async function requireSeamless(
  { topic, rangeOf }: ConsumerContext,
  partition: number,
  next: bigint,
  messages: readonly KafkaMessage[],
): Promise<void> {
  const first = BigInt(messages[0]?.offset ?? next);
  if (first === next) return;
  const range = await rangeOf(partition);
  requireInside(topic, partition, next, first < next ? { low: range.low, high: first } : range);
}

function requireInside(topic: string, partition: number, next: bigint, { low, high }: Range): void {
  const where = `topic ${topic}, partition ${partition}: the ledger goes on at offset ${next.toString()}`;
  if (next > high) {
    throw new PipelineError(
      'START_REFUSED',
      `${where}, but the log ends at ${high.toString()}: the topic was replaced or cut; see docs/runbook.md`,
    );
  }
  if (next < low) {
    throw new PipelineError(
      'START_REFUSED',
      `${where}, but the log begins at ${low.toString()}: what is between was removed before it was sealed; see docs/runbook.md`,
    );
  }
}

function bytesOf(messages: readonly KafkaMessage[]): number {
  return messages.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}

/** Asked again after a wait, where the compiler still believes the first answer. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve;
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}

async function untilAssigned(group: Group, partition: number, signal: AbortSignal): Promise<void> {
  let unwatch: (() => void) | undefined;
  const assigned = new Promise<void>((resolve) => {
    unwatch = group.watch((assignment) => {
      if (assignment.assigned.has(partition)) resolve();
    });
  });
  try {
    await orAborted(assigned, signal);
  } finally {
    unwatch?.();
  }
}
