import type { Logger } from 'pino';
import { PipelineError } from '../../schemas/errors.ts';
import type { Backpressure } from './backpressure.ts';
import type { OffsetReader } from './client.ts';
import { toPipelineError } from './errors.ts';

export interface OffsetWatchOptions {
  readonly offsets: OffsetReader;
  readonly topic: string;
  readonly groupId: string;
  readonly backpressure: Backpressure;
  readonly logger: Logger;
  /** Rejects with EVENT_LOG_REPLACED where the topic is not the one that was opened. */
  readonly requireSameTopic: () => Promise<void>;
}

/** How often the end of each partition is read for the lag. */
const REFRESH_MS = 1_000;
/** How many refreshes are left out while nothing is appended here. */
const IDLE_TURNS = 9;

/** Keeps the backpressure informed of the messages that other processes append and acknowledge. */
export class OffsetWatch {
  readonly #options: OffsetWatchOptions;
  /** The next refresh. Set by `#schedule`. */
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  /** Whether the last refresh failed, so that a failure is logged once. Set by `#refreshAgain`. */
  #isFailing = false;
  /** Whether something was appended since the last refresh. Set by `noteAppend`, cleared by `#refreshAgain`. */
  #isAppending = false;
  /** Set once by `refresh`: nothing may be appended to a topic that nobody has accepted. */
  #replaced: PipelineError | undefined;
  /** How many refreshes were left out in a row. Counted by `#refreshAgain`. */
  #idleTurns = 0;

  /** Begins to refresh by itself. */
  constructor(options: OffsetWatchOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Asks the brokers now. Rejects with LOG_UNAVAILABLE. */
  async refresh(): Promise<void> {
    const { offsets, topic, groupId, backpressure, requireSameTopic } = this.#options;
    try {
      await requireSameTopic();
      const [ranges, commits] = await Promise.all([
        offsets.fetchRanges(topic),
        offsets.fetchCommits(groupId, topic),
      ]);
      for (const [partition, { low, high }] of ranges) {
        backpressure.learn(partition, { end: high, done: low });
      }
      for (const [partition, next] of commits) backpressure.learn(partition, { done: next });
    } catch (error) {
      if (error instanceof PipelineError && error.code === 'EVENT_LOG_REPLACED') this.#replaced = error;
      throw toPipelineError(error, 'offsets are not known');
    }
  }

  /** The reason why nothing may be appended any more; undefined while the topic is the one that was opened. */
  replaced(): PipelineError | undefined {
    return this.#replaced;
  }

  /** Something is appended here, so the next refresh is not left out. */
  noteAppend(): void {
    this.#isAppending = true;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #refreshAgain(): Promise<void> {
    if (!this.#isAppending && this.#idleTurns < IDLE_TURNS) {
      this.#idleTurns += 1;
      this.#schedule();
      return;
    }
    this.#isAppending = false;
    this.#idleTurns = 0;
    try {
      await this.refresh();
      this.#isFailing = false;
    } catch {
      if (!this.#isFailing && !this.#isStopped) {
        this.#options.logger.warn('offsets are not known, the last known backlog stays in force');
      }
      this.#isFailing = true;
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#refreshAgain(), REFRESH_MS).unref();
  }
}
