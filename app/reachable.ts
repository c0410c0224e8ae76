/** Asks the record store whether it answers: without work to do, a sequencer would not notice that it is gone. */
import { setTimeout as delay } from 'node:timers/promises';
import { toFailure } from './partitions.ts';
import type { ErrorCode } from '../schemas/errors.ts';
import { reachable } from '../store/records/queries/reachable.ts';
import type { RecordStore } from '../store/records/record-store.ts';

/** How long the record store may take to answer the readiness check. */
const READINESS_LIMIT_MS = 5_000;

/** The code of the failure; undefined where the store answered in time. */
export type Reachable = () => Promise<ErrorCode | undefined>;

/** One question at a time: checks that come while one is on its way share its answer. */
export function createReachable(
  records: Pick<RecordStore, 'read'>,
  limitMs: number = READINESS_LIMIT_MS,
): Reachable {
  let asking: Promise<ErrorCode | undefined> | undefined;
  const ask = async (): Promise<ErrorCode | undefined> => {
    try {
      await records.read(reachable(), { maxExecutionMs: limitMs });
      return undefined;
    } catch (error) {
      return toFailure(error).code;
    }
  };
  return async () => {
    const over = new AbortController();
    const late = delay(limitMs, 'STORE_UNAVAILABLE' as const, { ref: false, signal: over.signal });
    // It is aborted below, when nobody waits for it any more.
    late.catch(() => undefined);
    asking ??= ask().finally(() => (asking = undefined));
    try {
      return await Promise.race([asking, late]);
    } finally {
      over.abort();
    }
  };
}
