/**
 * Appends on their way to one partition. One request goes at a time, and the appends that arrive meanwhile share the
 * next one. So order is kept over retries, and a round trip is paid once for many appends.
 */
import type { Logger } from 'pino';
import { PipelineError } from '../../schemas/errors.ts';
import type { FrameWriter } from '../frame-writer.ts';
import type { OutgoingMessage, RequestWriter } from './client.ts';
import { toPipelineError } from './errors.ts';

export interface PartitionQueueOptions {
  /** Writes to this partition alone. */
  readonly writer: RequestWriter;
  /** Numbers the values, where they are frames. */
  readonly frames?: FrameWriter | undefined;
  readonly deadlineMs: number;
  readonly maxMessageBytes: number;
  /** Bytes that wait for the partition, or are on their way to it, at most. A single larger append goes alone. */
  readonly maxWaitingBytes: number;
  readonly logger: Logger;
  /** Called with first offset and number of the messages that the brokers acknowledged in one partition. */
  readonly onWritten: (topic: string, partition: number, firstOffset: bigint, count: number) => void;
}

/** The messages of one append, and the caller that waits for them. */
interface Waiting {
  readonly messages: readonly OutgoingMessage[];
  /** How many of them were taken into a request. */
  taken: number;
  readonly settle: (refusal: PipelineError | undefined) => void;
}

/** Messages of one request, and the appends to which they belong in full or in part. */
interface AppendRequest {
  readonly messages: readonly OutgoingMessage[];
  readonly appends: readonly Waiting[];
}

/** Bounds of one request. A larger message goes alone. */
const REQUEST_MAX_BYTES = 8 * 1024 * 1024;
const REQUEST_MAX_MESSAGES = 4096;
/** Appends to a partition that did not answer for so long are refused at once, so that they do not hold their senders. */
const STALLED_AFTER_MS = 3_000;

export class PartitionQueue {
  readonly #options: PartitionQueueOptions;
  /** The most bytes of one request of several messages. Lowered by `#write` where the topic takes less. */
  #maxBytes: number;
  /** Appends with messages that are in no request yet. Filled by `append`; emptied by `#nextRequest` and `#refuseAll`. */
  #waiting: Waiting[] = [];
  /** Bytes of the appends that are not settled. Changed by `append`. */
  #unsettledBytes = 0;
  /** Settles when nothing waits any more. Set by `append`, cleared by `#flush`. */
  #flushing: Promise<void> | undefined;
  /** Whether the request that is on its way takes long, and whether it has missed its deadline. Owned by `#write`. */
  #isStalled = false;
  #isOverdue = false;

  constructor(options: PartitionQueueOptions) {
    this.#options = options;
    this.#maxBytes = Math.min(REQUEST_MAX_BYTES, options.maxMessageBytes);
  }

  /** The reason why the partition takes no append of so many bytes now. */
  refusalOf(bytes: number): PipelineError | undefined {
    if (this.#isStalled) {
      return new PipelineError('LOG_UNAVAILABLE', 'an earlier append was not acknowledged yet');
    }
    if (this.#unsettledBytes > 0 && this.#unsettledBytes + bytes > this.#options.maxWaitingBytes) {
      return new PipelineError('LOG_PUSHBACK', 'too many bytes wait for one partition');
    }
    return undefined;
  }

  /** Resolves when all in-sync replicas have the messages, in order; rejects as `EventLog.append` does. */
  append(messages: readonly OutgoingMessage[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const bytes = bytesOf(messages);
      const refused = this.refusalOf(bytes);
      if (refused !== undefined) {
        reject(refused);
        return;
      }
      this.#unsettledBytes += bytes;
      let isSettled = false;
      const settle = (refusal: PipelineError | undefined): void => {
        if (!isSettled) this.#unsettledBytes -= bytes;
        isSettled = true;
        if (refusal === undefined) resolve();
        else reject(refusal);
      };
      this.#waiting.push({ messages, taken: 0, settle });
      this.#flushing ??= this.#flush();
    });
  }

  /** Waits for appends in flight, except for a request that has missed its deadline. */
  async close(): Promise<void> {
    if (!this.#isOverdue) await this.#flushing;
    await this.#options.writer.close();
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) await this.#write(this.#nextRequest());
    // Cleared in the same turn as the last check, or an append that comes between would never be sent.
    this.#flushing = undefined;
  }

  /**
   * A request may still succeed after its deadline, so nothing else is sent until it is settled. A request that never
   * settles is given up by the writer, and order with it: its callers were refused long before.
   */
  async #write(request: AppendRequest): Promise<void> {
    const { deadlineMs } = this.#options;
    const stalled = setTimeout(() => (this.#isStalled = true), Math.min(STALLED_AFTER_MS, deadlineMs));
    const overdue = setTimeout(() => this.#refuseAll(request), deadlineMs);
    // When its turn has come, and not before: a message that is refused while it waits takes no number.
    const turn = this.#options.frames?.begin();
    for (const { value } of request.messages) if (value !== null) turn?.seal(value);
    try {
      const written = await this.#options.writer.write(request.messages);
      turn?.written();
      for (const { topic, partition, firstOffset } of written) {
        this.#options.onWritten(topic, partition, firstOffset, request.messages.length);
      }
      settleAll(request.appends.filter(isTaken), undefined);
    } catch (error) {
      turn?.abandoned();
      settleAll(request.appends, this.#toRefusal(toPipelineError(error, 'event log cannot append'), request));
      this.#remove(request.appends);
    } finally {
      clearTimeout(stalled);
      clearTimeout(overdue);
      this.#isStalled = false;
      this.#isOverdue = false;
    }
  }

  /**
   * A topic whose limit was lowered refuses messages together that it takes one by one. Only a message that was refused
   * alone is too large for good: the others come again, in smaller requests.
   */
  #toRefusal(failure: PipelineError, { messages }: AppendRequest): PipelineError {
    if (failure.code !== 'BODY_TOO_LARGE' || messages.length === 1) return failure;
    this.#maxBytes = Math.floor(bytesOf(messages) / 2);
    const { cause } = failure;
    return new PipelineError('LOG_UNAVAILABLE', 'messages together are larger than the topic takes', {
      cause,
    });
  }

  #refuseAll(request: AppendRequest): void {
    const { deadlineMs, logger } = this.#options;
    this.#isStalled = true;
    this.#isOverdue = true;
    logger.warn({ deadlineMs }, 'event log does not answer');
    const refusal = new PipelineError('LOG_UNAVAILABLE', `no acknowledgement in ${deadlineMs} ms`);
    settleAll([...request.appends, ...this.#waiting], refusal);
    this.#waiting = [];
  }

  /** Takes messages in order, up to the bounds. An append whose last messages do not fit stays in the queue. */
  #nextRequest(): AppendRequest {
    const messages: OutgoingMessage[] = [];
    const appends: Waiting[] = [];
    let bytes = 0;
    for (const waiting of this.#waiting) {
      appends.push(waiting);
      for (const message of waiting.messages.slice(waiting.taken)) {
        bytes += message.bytes;
        if (messages.length === REQUEST_MAX_MESSAGES || (messages.length > 0 && bytes > this.#maxBytes)) {
          this.#remove(appends.filter(isTaken));
          return { messages, appends: appends.filter(({ taken }) => taken > 0) };
        }
        messages.push(message);
        waiting.taken += 1;
      }
    }
    this.#waiting = [];
    return { messages, appends };
  }

  #remove(gone: readonly Waiting[]): void {
    const lookup = new Set(gone);
    this.#waiting = this.#waiting.filter((one) => !lookup.has(one));
  }
}

function isTaken({ taken, messages }: Waiting): boolean {
  return taken === messages.length;
}

function bytesOf(messages: readonly OutgoingMessage[]): number {
  return messages.reduce((sum, { bytes }) => sum + bytes, 0);
}

function settleAll(appends: readonly Waiting[], refusal: PipelineError | undefined): void {
  for (const { settle } of new Set(appends)) settle(refusal);
}
