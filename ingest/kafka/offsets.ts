import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Asker } from './asker.ts';
import { isLoading, toPipelineError } from './errors.ts';
import type { Pressure } from './pressure.ts';

/** First offset that is still there, and the one after the last. */
export interface Range {
  readonly low: bigint;
  readonly high: bigint;
}

export async function fetchRanges({ ask }: Asker, topic: string): Promise<Map<number, Range>> {
  const found = await ask((admin) => admin.fetchTopicOffsets(topic));
  return new Map(
    found.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]),
  );
}

/** The offsets that a group has committed, of the partitions in which it has. */
export async function fetchCommits(
  { ask }: Asker,
  groupId: string,
  topic: string,
): Promise<Map<number, bigint>> {
  const groups = await onceLoaded(() => ask((admin) => admin.fetchOffsets({ groupId, topics: [topic] })));
  const commits = groups.flatMap(({ partitions }) => partitions);
  return new Map(
    commits
      .map(({ partition, offset }) => [partition, BigInt(offset)] as const)
      .filter(([, next]) => next >= 0n),
  );
}

export interface OffsetWatch {
  /** Asks the brokers now. Rejects with LOG_UNAVAILABLE. */
  refresh(): Promise<void>;
  /** Says that appends go on, so that the next second's news is wanted. */
  want(): void;
  stop(): void;
}

export interface OffsetWatchOptions {
  readonly asker: Asker;
  readonly topic: string;
  readonly groupId: string;
  readonly pressure: Pressure;
  readonly logger: Logger;
}

const REFRESH_MS = 1_000;
/** How many refreshes are left out while nothing is appended here. */
const IDLE_TURNS = 9;
const LOADING_MS = 200;
const LOADING_TRIES = 50;

/** Keeps the pressure told of what other processes append and acknowledge. */
export function watchOffsets({ asker, topic, groupId, pressure, logger }: OffsetWatchOptions): OffsetWatch {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let isFailing = false;
  let isWanted = false;
  let idleTurns = 0;

  async function refresh(): Promise<void> {
    try {
      const [ranges, groups] = await Promise.all([
        fetchRanges(asker, topic),
        onceLoaded(() => asker.ask((admin) => admin.fetchOffsets({ groupId, topics: [topic] }))),
      ]);
      const commits = groups.flatMap(({ partitions }) => partitions);
      for (const [partition, { low, high }] of ranges) pressure.learn(partition, { end: high, done: low });
      for (const { partition, offset } of commits) pressure.learn(partition, { done: BigInt(offset) });
    } catch (error) {
      throw toPipelineError(error, 'offsets are not known');
    }
  }

  async function refreshAgain(): Promise<void> {
    if (!isWanted && idleTurns < IDLE_TURNS) {
      idleTurns += 1;
      schedule();
      return;
    }
    isWanted = false;
    idleTurns = 0;
    try {
      await refresh();
      isFailing = false;
    } catch {
      if (!isFailing && !isStopped) logger.warn('offsets are not known, the backlog is taken as it was');
      isFailing = true;
    }
    schedule();
  }

  function schedule(): void {
    if (isStopped) return;
    timer = setTimeout(() => void refreshAgain(), REFRESH_MS);
    timer.unref();
  }

  schedule();
  return {
    refresh,
    want: () => {
      isWanted = true;
    },
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** A broker that has just begun answers that it is loading; the client gives up on that too early. */
async function onceLoaded<T>(ask: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await ask();
    } catch (error) {
      if (tried === LOADING_TRIES || !isLoading(error)) throw error;
      await sleep(LOADING_MS);
    }
  }
}
