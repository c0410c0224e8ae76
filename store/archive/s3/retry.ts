/** Repeats transient failures, with full jitter. Time and chance come from outside. */
import { PipelineError } from '../../../schemas/errors.ts';
import { describeError, outcomeOf } from './client.ts';

export interface RetryLimits {
  /** Includes the first attempt. */
  readonly maxAttempts: number;
  /** The wait before attempt n is uniform from 0 to `baseDelayMs` * 2^(n-2), at most `maxDelayMs`. */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

export interface Retrying {
  readonly limits: RetryLimits;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly onRetry?: ((attempt: string, cause: string) => void) | undefined;
}

/** Attempts and waits for one request to the store. */
export const RETRY_LIMITS: RetryLimits = { maxAttempts: 5, baseDelayMs: 100, maxDelayMs: 5_000 };

/** Cause of an ARCHIVE_DAMAGED that reading again may clear. */
export const IN_TRANSIT = 'may have been damaged in transit';

/** Full jitter spreads writers that failed together; `failures` is how many attempts have failed so far. */
export function delayMs({ limits, random }: Pick<Retrying, 'limits' | 'random'>, failures: number): number {
  return random() * Math.min(limits.maxDelayMs, limits.baseDelayMs * 2 ** (failures - 1));
}

/**
 * Runs `work` until it succeeds, fails for good, or the attempts are used up. A failure of the store, transient or not,
 * becomes ARCHIVE_UNAVAILABLE: an operator can mend rights and buckets while the caller goes on trying. PipelineErrors
 * pass through, except that ARCHIVE_DAMAGED is tried again first: bytes may be damaged on their way.
 */
export async function withRetries<T>(
  retrying: Retrying,
  attempt: string,
  work: (failures: number) => Promise<T>,
): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    if (failures > 0) await retrying.sleep(delayMs(retrying, failures));
    try {
      return await work(failures);
    } catch (error) {
      if (!mayPass(error) || failures + 1 >= retrying.limits.maxAttempts) throw translated(attempt, error);
      retrying.onRetry?.(attempt, describeError(error));
    }
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof PipelineError) return error.code === 'ARCHIVE_DAMAGED' && error.cause === IN_TRANSIT;
  return outcomeOf(error) === 'transient';
}

function translated(attempt: string, error: unknown): unknown {
  if (error instanceof PipelineError || outcomeOf(error) === undefined) return error;
  return new PipelineError('ARCHIVE_UNAVAILABLE', `${attempt}: ${describeError(error)}`, { cause: error });
}
