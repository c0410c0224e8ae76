/** The backlog of the event log, and whether a period can be called complete beside it. */
import type { Backlog } from '../../schemas/backlog.ts';
import { toInstant } from '../../schemas/clock.ts';
import type { Assessment } from './assessment.ts';
import { counted } from '../controls/counted.ts';

/** The newest record of one log. */
interface NewestRow {
  /** Milliseconds since the Unix epoch. */
  readonly newest_received_ms: number;
}

export function backlogFigures(backlog: Backlog | undefined): { name: string; value: string }[] {
  if (backlog === undefined) return [];
  const value = backlog === 'unknown' ? 'not known' : String(backlog.envelopes);
  return [{ name: 'envelopes acknowledged and not sealed', value }];
}

/** Clocks of receivers may differ by this much, and a receiver stamps an envelope some time before it appends it. */
const RECEIPT_ORDER_MS = 600_000;

/** Why acknowledged envelopes that are not sealed may belong to the period; '' where none can. */
export function waitingDetail(
  { period, scope: { backlog } }: Assessment,
  logs: readonly NewestRow[],
): string {
  if (backlog === undefined) return '';
  if (backlog === 'unknown') return '; it is not known what is acknowledged and not sealed yet';
  if (backlog.envelopes === 0) return '';
  const oldestMs = oldestReceiptMs(backlog.oldestReceivedAt, logs);
  if (oldestMs >= Date.parse(period.to)) return '';
  const envelopes = counted(backlog.envelopes, 'envelope');
  const from = oldestMs < 0 ? '' : `, received at ${toInstant(oldestMs)} or later`;
  return `; ${envelopes} acknowledged and not sealed yet${from}`;
}

/**
 * Before that instant no waiting envelope was received. A log that does not show its oldest envelope is in the order of
 * receipt, nearly; so the oldest comes behind the newest that is sealed.
 */
function oldestReceiptMs(oldest: string | undefined, logs: readonly NewestRow[]): number {
  if (oldest !== undefined) return Date.parse(oldest);
  const newest = logs.map(({ newest_received_ms }) => newest_received_ms);
  return Math.min(...(newest.length === 0 ? [0] : newest)) - RECEIPT_ORDER_MS;
}
