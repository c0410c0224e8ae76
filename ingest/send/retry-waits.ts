/** How long senders wait before they try a request again. */
import type { Clock } from '../../schemas/clock.ts';

/** A longer wait that a server asks for is cut to this. */
const MAX_RETRY_AFTER_MS = 60_000;

/** The first wait, and the longest. */
export interface BackoffLimits {
  readonly firstMs: number;
  /** @default no limit */
  readonly maxMs?: number;
}

/** The wait after so many failures, from 1: each is twice as long as the one before. */
export function backoffMs(
  failures: number,
  { firstMs, maxMs = Number.POSITIVE_INFINITY }: BackoffLimits,
): number {
  return Math.min(firstMs * 2 ** (failures - 1), maxMs);
}

/** The wait that a Retry-After header asks for (RFC 9110 section 10.2.3): seconds or a date. Undefined without one. */
export function retryAfterMs(header: string | null | undefined, clock: Clock): number | undefined {
  const text = header ?? '';
  const ms = /^[0-9]{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - clock();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
