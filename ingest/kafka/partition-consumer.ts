/** `EventLog.consume`: the messages of one partition, in order, to one `onBatch`; committed when it resolves. */
import type { Logger } from 'pino';
import { PipelineError } from '../../schemas/errors.ts';
import type { ConsumeOptions, LoggedBatch, LoggedEnvelope } from '../event-log.ts';
import type { ReadFrame } from '../frame-reader.ts';
import type { Backpressure } from './backpressure.ts';
import type { FetchedBatch, FetchedMessage, Membership, OffsetRange, PartitionReader } from './client.ts';
import { readMessage, type DeadLetter } from './messages.ts';
import type { TopicIdentity } from './topic-identity.ts';

export interface ConsumerContext {
  readonly topic: string;
  readonly membership: Membership;
  readonly backpressure: Backpressure;
  readonly logger: Logger;
  /** Reads the entries of one partition, from the one that `options` begin with. */
  readonly openReader: (options: Pick<ConsumeOptions, 'partition' | 'mayBeUnnumbered'>) => ReadFrame;
  readonly identity: TopicIdentity;
  /** Asks the brokers for the range of a partition. */
  readonly rangeOf: (partition: number) => Promise<OffsetRange>;
  /** Resolves when the brokers have all of them. */
  readonly keepDeadLetters: (letters: readonly DeadLetter[]) => Promise<void>;
}

export type OnBatch = (batch: LoggedBatch) => Promise<void>;

/** Pause before an offset commit that failed is repeated. */
const COMMIT_AGAIN_MS = 1_000;

/** Waits until the partition is this process's. */
export async function consumePartition(
  context: ConsumerContext,
  options: ConsumeOptions,
  onBatch: OnBatch,
): Promise<void> {
  const { membership } = context;
  const { partition, from, isSealed, signal } = options;
  if (signal.aborted) return;
  const { joined, release } = membership.hold();
  try {
    await orAborted(joined, signal);
    await untilAssigned(membership, partition, signal);
    if (isAborted(signal)) return;
    await settlePartition(context, { partition, from, isSealed });
    await new PartitionConsumer(context, options, onBatch).run();
  } finally {
    joined.catch(() => undefined);
    release();
  }
}

interface PartitionPlace extends Pick<ConsumeOptions, 'partition' | 'isSealed'> {
  /** Undefined for the first offset that the topic holds. */
  readonly from: bigint | undefined;
}

/**
 * Resolves to the offset at which reading goes on. Rejects with EVENT_LOG_REPLACED, and with START_REFUSED where the topic
 * does not hold `from`.
 */
export async function settlePartition(
  { topic, identity, rangeOf, openReader }: ConsumerContext,
  { partition, from, isSealed }: PartitionPlace,
): Promise<bigint> {
  await identity.requireSame();
  const range = await rangeOf(partition);
  if (from === undefined) return range.low;
  requireInside(topic, partition, from, range);
  if (isSealed === undefined) return from;
  const read = openReader({ partition });
  await identity.requireSealedBefore({ partition, from, low: range.low, read, isSealed });
  return from;
}

class PartitionConsumer implements PartitionReader {
  readonly #context: ConsumerContext;
  readonly #options: ConsumeOptions;
  readonly #onBatch: OnBatch;
  readonly #read: ReadFrame;
  /** Settles `run`, and undoes it at once. Replaced by `run`, called by `#end`. */
  #settle: (failure?: unknown) => void = () => undefined;
  /** Set by `#end`: no batch is taken any more. */
  #hasEnded = false;
  /** Offset after the messages that are done. Moved by `#deliver`. */
  #next: bigint;
  /** The part of it that the group knows. Moved by `#noteCommitted`. */
  #committed: bigint | undefined;
  /** Settles when the batch in hand is done. Set and cleared by `take`. */
  #inHand: Promise<void> | undefined;

  constructor(context: ConsumerContext, options: ConsumeOptions, onBatch: OnBatch) {
    this.#context = context;
    this.#options = options;
    this.#onBatch = onBatch;
    this.#next = options.from;
    this.#read = context.openReader(options);
  }

  /** Resolves when the signal is aborted, after the batch in hand; rejects with the failure that ended it. */
  run(): Promise<void> {
    const { partition, signal } = this.#options;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        if (this.#inHand === undefined) this.#end();
      };
      const commits = setInterval(() => void this.#commitAgain(), COMMIT_AGAIN_MS);
      signal.addEventListener('abort', onAbort, { once: true });
      const detach = this.#context.membership.attach(partition, this);
      this.#settle = (failure) => {
        signal.removeEventListener('abort', onAbort);
        clearInterval(commits);
        detach();
        if (failure === undefined || signal.aborted) resolve();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the error of onBatch, of any type
        else reject(failure);
      };
      if (signal.aborted) onAbort();
    });
  }

  next(): bigint {
    return this.#next;
  }

  lose(reason: PipelineError): void {
    if (this.#inHand === undefined) this.#end(reason);
    else void this.#inHand.then(() => this.#end(reason));
  }

  async take(batch: FetchedBatch): Promise<void> {
    const { signal } = this.#options;
    if (this.#hasEnded || signal.aborted) return;
    const delivery = this.#deliver(batch);
    this.#inHand = delivery.catch(() => undefined);
    try {
      await delivery;
    } catch (failure) {
      this.#end(failure);
    }
    this.#inHand = undefined;
    if (isAborted(signal)) this.#end();
  }

  #end(failure?: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#settle(failure);
  }

  async #deliver(batch: FetchedBatch): Promise<void> {
    // Ids are never given twice, so messages that came before this answer came from the topic that was opened.
    await this.#context.identity.requireSame();
    await this.#requireSeamless(batch.messages);
    for (const chunk of cutIntoChunks(batch.messages, this.#options)) {
      if (this.#options.signal.aborted || !batch.isHeld()) return;
      await this.#handle(chunk);
      this.#next = (chunk.at(-1)?.offset ?? this.#next) + 1n;
      if (!(await this.#commit(batch))) return;
    }
  }

  async #handle(chunk: readonly FetchedMessage[]): Promise<void> {
    const { topic, keepDeadLetters, backpressure, logger } = this.#context;
    const { partition } = this.#options;
    const envelopes: LoggedEnvelope[] = [];
    const letters: DeadLetter[] = [];
    for (const message of chunk) {
      const entry = readMessage(this.#read, message);
      if ('envelope' in entry) envelopes.push({ offset: message.offset, ...entry });
      else letters.push({ topic, partition, message, reason: entry.unreadable });
    }
    backpressure.measure(chunk.length, bytesOf(chunk));
    if (letters.length > 0) {
      await keepDeadLetters(letters);
      for (const { message, reason } of letters) {
        logger.error(
          { partition, offset: String(message.offset), reason },
          'message is not sealed, kept as a dead letter',
        );
      }
    }
    const nextOffset = (chunk.at(-1)?.offset ?? this.#next) + 1n;
    const deadLetters = letters.map(({ message }) => message.offset);
    await this.#onBatch({ envelopes, deadLetters, nextOffset });
  }

  /**
   * The commit informs other processes, and the lag is counted from it; the ledger alone decides what is sealed.
   * Resolves false where the partition is no longer held.
   */
  async #commit(batch: FetchedBatch): Promise<boolean> {
    const next = this.#next;
    try {
      const isHeld = await batch.commit(next);
      if (isHeld) this.#noteCommitted(next);
      return isHeld;
    } catch {
      this.#context.logger.warn({ partition: batch.partition }, 'offset not committed, it is tried again');
      return true;
    }
  }

  /** Envelopes that are sealed and not committed, by this process or an earlier one, would count in the lag for ever. */
  async #commitAgain(): Promise<void> {
    const next = this.#next;
    if (this.#inHand !== undefined || this.#committed === next) return;
    const committed = this.#context.membership.commit(this.#options.partition, next);
    await committed.then(
      () => this.#noteCommitted(next),
      () => undefined,
    );
  }

  #noteCommitted(next: bigint): void {
    this.#committed = next;
    this.#context.backpressure.learn(this.#options.partition, { done: next });
  }

  /**
   * Offsets may skip, but only where the log never had a message for anybody. A client that asks for a message which was
   * removed may get the first that is left: then the messages come from before, or after a gap that retention cut.
   */
  async #requireSeamless(messages: readonly FetchedMessage[]): Promise<void> {
    const next = this.#next;
    const first = messages[0]?.offset ?? next;
    if (first === next) return;
    const { partition } = this.#options;
    const range = await this.#context.rangeOf(partition);
    const found = first < next ? { low: range.low, high: first } : range;
    requireInside(this.#context.topic, partition, next, found);
  }
}

function cutIntoChunks(
  messages: readonly FetchedMessage[],
  { maxEnvelopes, maxBytes }: ConsumeOptions,
): FetchedMessage[][] {
  const chunks: FetchedMessage[][] = [];
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

function requireInside(topic: string, partition: number, next: bigint, { low, high }: OffsetRange): void {
  const where = `topic ${topic}, partition ${partition}: the ledger goes on at offset ${next}`;
  if (next > high) {
    throw new PipelineError(
      'START_REFUSED',
      `${where}, but the log ends at ${high}: the topic was replaced or cut; see docs/runbook.md`,
    );
  }
  if (next < low) {
    throw new PipelineError(
      'START_REFUSED',
      `${where}, but the log begins at ${low}: the messages between were removed before they were sealed; see docs/runbook.md`,
    );
  }
}

function bytesOf(messages: readonly FetchedMessage[]): number {
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

async function untilAssigned(membership: Membership, partition: number, signal: AbortSignal): Promise<void> {
  let unwatch: (() => void) | undefined;
  const assigned = new Promise<void>((resolve) => {
    unwatch = membership.watch((assignment) => {
      if (assignment.assigned.has(partition)) resolve();
    });
  });
  try {
    await orAborted(assigned, signal);
  } finally {
    unwatch?.();
  }
}
