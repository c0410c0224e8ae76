import { systemClock } from '../app/paths.ts';

const MAX_RETRY_AFTER_MS = 60_000;

/** How long an answer asks to wait, RFC 9110 section 10.2.3: seconds or a date. Undefined where it does not say. */
export function retryAfterMs(header: string | null | undefined): number | undefined {
  const text = header ?? '';
  const ms = /^[0-9]{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - systemClock();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
