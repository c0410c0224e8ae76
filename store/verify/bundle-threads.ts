/** Checks bundles ahead of their turn, on all cores. In: the bundles of a log, in order. Out: those that are sound. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { BundleAddress, SoundBundle } from './sound-bundle.ts';

/** Tells of each bundle of a log, asked for in order, whether it was found sound. */
export interface LookAhead {
  /** Undefined where the bundle must be checked by whoever asks. Never rejects. */
  next(): Promise<SoundBundle | undefined>;
  /** Ends all threads; idempotent. */
  close(): Promise<void>;
}

/** Undefined where looking ahead is not worth it. */
export type OpenLookAhead = (bundles: readonly BundleAddress[]) => LookAhead | undefined;

/** Below this a thread would take longer to start than it saves. */
const MIN_BUNDLES = 4;
const MIN_LEAVES = 20_000;
const MAX_THREADS = 4;
/** One that a thread is at and one that waits: more would only take memory. */
const BUNDLES_PER_THREAD = 2;
/** Lines come and go: a small nursery keeps what is dead from piling up. A bundle that needs more is not for threads. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 6, maxOldGenerationSizeMb: 96 };

/** The sources run the same entry as the build does; only the ending differs. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? 'bundle-worker.ts' : 'bundle-worker.js',
  import.meta.url,
);

export const lookAheadInThreads: OpenLookAhead = (bundles) => {
  const isLarge = bundles.length >= MIN_BUNDLES && (bundles.at(-1)?.start ?? 0) >= MIN_LEAVES;
  return isLarge ? startThreads(bundles, Math.min(availableParallelism(), MAX_THREADS)) : undefined;
};

/** A thread that cannot be had or breaks off leaves its bundles to whoever asks. `entry` is what each one runs. */
export function startThreads(
  bundles: readonly BundleAddress[],
  threadCount: number,
  entry: URL = ENTRY,
): LookAhead {
  const threads = Array.from({ length: threadCount }, () => startThread(entry));
  const asked: Promise<SoundBundle | undefined>[] = [];
  let position = 0;
  const ask = (): void => {
    const bundle = bundles[position];
    const thread = threads[position % threads.length];
    if (bundle === undefined || thread === undefined) return;
    position += 1;
    asked.push(thread.ask(bundle));
  };
  for (let ahead = 0; ahead < threadCount * BUNDLES_PER_THREAD; ahead += 1) ask();
  return {
    async next() {
      const sound = await asked.shift();
      ask();
      return sound;
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

interface Thread {
  ask(bundle: BundleAddress): Promise<SoundBundle | undefined>;
  close(): Promise<void>;
}

type Answer = (sound: SoundBundle | undefined) => void;

function startThread(entry: URL): Thread {
  const worker = startWorker(entry);
  const waiting: Answer[] = [];
  let isOver = worker === undefined;
  const giveUp = (): void => {
    isOver = true;
    for (const answer of waiting.splice(0)) answer(undefined);
  };
  worker?.on('message', (sound: SoundBundle | undefined) => waiting.shift()?.(sound));
  worker?.on('messageerror', giveUp);
  worker?.on('error', giveUp);
  worker?.on('exit', giveUp);
  return {
    ask: (bundle) =>
      new Promise((resolve) => {
        if (isOver) {
          resolve(undefined);
          return;
        }
        waiting.push(resolve);
        worker?.postMessage(bundle);
      }),
    async close() {
      await worker?.terminate();
    },
  };
}

/** Undefined where the system has no room for another thread. */
function startWorker(entry: URL): Worker | undefined {
  try {
    return new Worker(entry, { resourceLimits: RESOURCE_LIMITS });
  } catch {
    return undefined;
  }
}
