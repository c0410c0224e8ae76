import type { Logger } from 'pino';
import type { Assignment, Membership } from './client.ts';

/** Does one partition's work until the signal is aborted; resolves after the batch in hand. */
export type Run = (partition: number, signal: AbortSignal) => Promise<void>;

interface Running {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/**
 * Runs `run` for each partition while this process has it. The signal of a partition that is lost is aborted. When the
 * partition comes back, `run` is called again after the earlier call has ended, because another process may have had the
 * partition meanwhile. Resolves when `signal` is aborted and all calls have ended; rejects as the first call that rejects,
 * after all have ended.
 */
export async function runAssigned(
  membership: Membership,
  logger: Logger,
  run: Run,
  signal: AbortSignal,
): Promise<void> {
  const running = new Map<number, Running>();
  const over = new AbortController();
  const stopped = AbortSignal.any([signal, over.signal]);
  const failures: unknown[] = [];

  function begin(partition: number, before: Promise<void> | undefined): void {
    const stop = new AbortController();
    const ended = (async () => {
      await before;
      const ending = AbortSignal.any([stop.signal, stopped]);
      if (!ending.aborted) await run(partition, ending);
    })().catch((error: unknown) => {
      failures.push(error);
      over.abort();
    });
    running.set(partition, { stop, ended });
  }

  function onAssignment({ assigned, lost }: Assignment): void {
    if (stopped.aborted) return;
    for (const [partition, { stop }] of running) {
      if (lost.has(partition) || !assigned.has(partition)) stop.abort();
    }
    for (const partition of assigned) {
      const before = running.get(partition);
      if (before === undefined || before.stop.signal.aborted) begin(partition, before?.ended);
    }
    logger.debug({ partitions: [...assigned] }, 'partitions run');
  }

  if (signal.aborted) return;
  const ended = new Promise<void>((resolve) => {
    stopped.addEventListener('abort', () => resolve(), { once: true });
  });
  const unwatch = membership.watch(onAssignment);
  const { joined, release } = membership.hold();
  try {
    await Promise.race([joined.then(() => ended), ended]);
  } finally {
    over.abort();
    unwatch();
    joined.catch(() => undefined);
    await Promise.all([...running.values()].map((one) => one.ended));
    release();
  }
  if (failures.length > 0) throw failures[0];
}
