/**
 * Appends on their way to the brokers. One request goes at a time, and the appends that arrive meanwhile share the next
 * one. So order is kept over retries, and a round trip is paid once for many appends.
 */
import type { Logger } from 'pino';
import { PipelineError } from '../../schemas/errors.ts';
import type { OutgoingMessage, RequestWriter } from './client.ts';
import { toPipelineError } from './errors.ts';

export interface AppendQueueOptions {
  readonly writer: RequestWriter;
  readonly deadlineMs: number;
  readonly maxMessageBytes: number;
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

export class AppendQueue {
  readonly #options: AppendQueueOptions;
  readonly #maxBytes: number;
  /** Appends with messages that are in no request yet. Filled by `append`; emptied by `#nextRequest` and `#refuseAll`. */
  #waiting: Waiting[] = [];
  /** Settles when nothing waits any more. Set by `append`, cleared by `#flush`. */
  #flushing: Promise<void> | undefined;
  /** Whether the request that is on its way has missed its deadline. Owned by `#write`. */
  #isOverdue = false;

  constructor(options: AppendQueueOptions) {
    this.#options = options;
    this.#maxBytes = Math.min(REQUEST_MAX_BYTES, options.maxMessageBytes);
  }

  /** Resolves when all in-sync replicas have the messages, in order per partition; rejects as `EventLog.append` does. */
  append(messages: readonly OutgoingMessage[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isOverdue) {
        reject(new PipelineError('LOG_UNAVAILABLE', 'an earlier append was not acknowledged yet'));
        return;
      }
      const settle = (refusal: PipelineError | undefined): void => {
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
    const timer = setTimeout(() => this.#refuseAll(request), this.#options.deadlineMs);
    try {
      const written = await this.#options.writer.write(request.messages);
      for (const { topic, partition, firstOffset } of written) {
        const count = request.messages.filter(
          (one) => one.topic === topic && one.partition === partition,
        ).length;
        this.#options.onWritten(topic, partition, firstOffset, count);
      }
      settleAll(request.appends.filter(isTaken), undefined);
    } catch (error) {
      settleAll(request.appends, toPipelineError(error, 'event log cannot append'));
      this.#remove(request.appends);
    } finally {
      clearTimeout(timer);
      this.#isOverdue = false;
    }
  }

  #refuseAll(request: AppendRequest): void {
    const { deadlineMs, logger } = this.#options;
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

function settleAll(appends: readonly Waiting[], refusal: PipelineError | undefined): void {
  for (const { settle } of new Set(appends)) settle(refusal);
}
