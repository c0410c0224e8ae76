/**
 * Appends on their way to the brokers: a queue for each partition, each with its own connection. So a partition whose
 * leader is slow or away holds up no other.
 */
import type { FrameWriter } from '../frame-writer.ts';
import type { OutgoingMessage, RequestWriter } from './client.ts';
import { PartitionQueue, type PartitionQueueOptions } from './partition-queue.ts';

export interface AppendQueueOptions extends Omit<PartitionQueueOptions, 'writer' | 'frames'> {
  /** Called once for each partition that is written to. */
  readonly openWriter: () => RequestWriter;
  /** Called once for each partition that is written to. Undefined where its messages are not numbered. */
  readonly openFrames?: ((topic: string, partition: number) => FrameWriter | undefined) | undefined;
}

export class AppendQueue {
  readonly #options: AppendQueueOptions;
  /** By topic and partition. Filled by `#queueOf`. */
  readonly #queues = new Map<string, PartitionQueue>();

  constructor(options: AppendQueueOptions) {
    this.#options = options;
  }

  /**
   * Resolves when all in-sync replicas have the messages, in order per partition; rejects as `EventLog.append` does. It
   * settles when every partition has answered, so a rejected append waits for nothing any more.
   */
  async append(messages: readonly OutgoingMessage[]): Promise<void> {
    const shares = new Map<PartitionQueue, OutgoingMessage[]>();
    for (const message of messages) {
      const queue = this.#queueOf(message);
      const share = shares.get(queue);
      if (share === undefined) shares.set(queue, [message]);
      else share.push(message);
    }
    for (const [queue, share] of shares) {
      const refusal = queue.refusalOf(share.reduce((sum, { bytes }) => sum + bytes, 0));
      if (refusal !== undefined) throw refusal;
    }
    const outcomes = await Promise.allSettled([...shares].map(([queue, share]) => queue.append(share)));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Waits for appends in flight, except for requests that have missed their deadline. */
  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  #queueOf({ topic, partition }: OutgoingMessage): PartitionQueue {
    const name = `${topic}/${String(partition)}`;
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const { openWriter, openFrames } = this.#options;
    const frames = openFrames?.(topic, partition);
    const queue = new PartitionQueue({ ...this.#options, writer: openWriter(), frames });
    this.#queues.set(name, queue);
    return queue;
  }
}
