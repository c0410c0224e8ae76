/** Checks bundles ahead of their turn, on all cores. In: the bundles of a log, in order. Out: the sound ones. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { KeyAddress } from '../../schemas/data-key.ts';
import type { FromThread, ToThread } from './bundle-worker.ts';
import type { FindKeys } from './framed-payloads.ts';
import type { BundleAddress, Precheck } from './precheck.ts';

/** The results of checking the bundles of a log ahead, taken in order. */
export interface LookAhead {
  /** Result for the next bundle; undefined where the caller must check it. Never rejects. */
  next(): Promise<Precheck | undefined>;
  /** Ends all threads; idempotent. */
  close(): Promise<void>;
}

/** Undefined where threads are not worth their start. */
export type OpenLookAhead = (bundles: readonly BundleAddress[], findKeys?: FindKeys) => LookAhead | undefined;

/** Below this a thread would take longer to start than it saves. */
const MIN_BUNDLES = 4;
/** Leaves below which the same holds. */
const MIN_LEAVES = 20_000;
/** Threads that read bundles; each takes memory for a bundle. */
const MAX_THREADS = 4;
/** One in work and one that waits: more would only take memory. */
const BUNDLES_PER_THREAD = 2;
/** Lines are short-lived: a small nursery frees them soon. A bundle that needs more memory is left to the caller. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 6, maxOldGenerationSizeMb: 96 };

/** Sources and build run the same entry; only the ending of its name differs. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? 'bundle-worker.ts' : 'bundle-worker.js',
  import.meta.url,
);

export const lookAheadInThreads: OpenLookAhead = (bundles, findKeys) => {
  const isLarge = bundles.length >= MIN_BUNDLES && (bundles.at(-1)?.start ?? 0) >= MIN_LEAVES;
  const threadCount = Math.min(availableParallelism(), MAX_THREADS);
  return isLarge ? startThreads(bundles, { threadCount, findKeys }) : undefined;
};

interface ThreadOptions {
  readonly threadCount: number;
  /** Answers the threads, which have no key store. */
  readonly findKeys?: FindKeys | undefined;
  /** Each thread runs it. @default the entry of this folder */
  readonly entry?: URL;
}

/** A thread that does not start, or that ends early, leaves its bundles to the caller. */
export function startThreads(
  bundles: readonly BundleAddress[],
  { threadCount, findKeys, entry = ENTRY }: ThreadOptions,
): LookAhead {
  const threads = Array.from({ length: threadCount }, () => startThread(entry, findKeys));
  // `asked` holds the bundles on their way, `position` the next one to ask for. Only `ask` and `next` change them.
  const asked: Promise<Precheck | undefined>[] = [];
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
      const result = await asked.shift();
      ask();
      return result;
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

interface Thread {
  ask(bundle: BundleAddress): Promise<Precheck | undefined>;
  close(): Promise<void>;
}

type Answer = (result: Precheck | undefined) => void;

function startThread(entry: URL, findKeys: FindKeys | undefined): Thread {
  const worker = startWorker(entry, findKeys !== undefined);
  // Answers come in the order of asking. Once `isOver`, nothing waits any more.
  const waiting: Answer[] = [];
  let isOver = worker === undefined;
  const giveUp = (): void => {
    isOver = true;
    for (const answer of waiting.splice(0)) answer(undefined);
  };
  worker?.on('message', (message: FromThread) => {
    if (message.kind === 'ask') void answerKeys(worker, findKeys, message.addresses);
    else waiting.shift()?.(message.result);
  });
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
        worker?.postMessage({ kind: 'check', bundle } satisfies ToThread);
      }),
    async close() {
      await worker?.terminate();
    },
  };
}

/** A thread without an answer gives its bundle up, and the caller, who asks for the same keys, gets the error. */
async function answerKeys(
  worker: Worker | undefined,
  findKeys: FindKeys | undefined,
  addresses: readonly KeyAddress[],
): Promise<void> {
  const keys = await findKeys?.(addresses).catch(() => undefined);
  worker?.postMessage({ kind: 'keys', keys } satisfies ToThread);
}

/** Undefined where the system refuses another thread. */
function startWorker(entry: URL, hasKeys: boolean): Worker | undefined {
  try {
    return new Worker(entry, { resourceLimits: RESOURCE_LIMITS, workerData: { hasKeys } });
  } catch {
    return undefined;
  }
}
