/**
 * The time of integration of a bundle. It never goes back: behind a clock that was ahead, bundles keep the time of the
 * newest bundle until the clock has caught up. A clock far ahead is refused, because its time would stay in the log.
 */
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { OWN_COLLECTOR } from '../../schemas/native-event.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import type { ClockStep } from '../../schemas/sealing-events.ts';
import type { Head } from './head.ts';
import type { LedgerOptions } from './options.ts';

/** A clock this far behind the last bundle is a slewing clock; further behind it was stepped. */
const MAX_CLOCK_BEHIND_MS = 2_000;
/** Clocks of several machines may differ by so much. A record from further ahead was received by a clock that is wrong. */
const MAX_RECEIVED_AHEAD_MS = 60_000;

/** Reports a clock that is behind what is known; throws CLOCK_AHEAD for a clock that is too far ahead. Writes nothing. */
export function timeOfIntegration(
  options: LedgerOptions,
  { integratedAtMs, notBeforeMs }: Pick<Head, 'integratedAtMs' | 'notBeforeMs'>,
  records: readonly AuditRecord[],
): number {
  const nowMs = options.clock();
  requireNotAhead(options, nowMs, { integratedAtMs, records });
  const receivedAtMs = Date.parse(newestReceivedAt(records) ?? toInstant(0));
  if (nowMs + MAX_CLOCK_BEHIND_MS < notBeforeMs) report(options, 'behind', notBeforeMs - nowMs, nowMs);
  else if (nowMs + MAX_RECEIVED_AHEAD_MS < receivedAtMs)
    report(options, 'behind_receivers', receivedAtMs - nowMs, nowMs);
  return Math.max(nowMs, notBeforeMs);
}

function report(
  { onClockBehind }: LedgerOptions,
  reason: ClockStep['reason'],
  behind_ms: number,
  nowMs: number,
): void {
  onClockBehind?.({ reason, known_at: toInstant(nowMs + behind_ms), behind_ms });
}

/** The sequencer makes records of these types while it seals, so their receipt carries the clock in question. */
const MADE_BY_SEQUENCER: ReadonlySet<string> = new Set([
  'ingest.counted',
  'event_log.gap',
  'event_log.replaced',
]);

interface Known {
  readonly integratedAtMs: number;
  readonly records: readonly AuditRecord[];
}

function requireNotAhead(
  { log, maxClockAheadMs = Number.POSITIVE_INFINITY }: LedgerOptions,
  nowMs: number,
  { integratedAtMs, records }: Known,
): void {
  if (nowMs - integratedAtMs <= maxClockAheadMs) return;
  const received_at = newestReceivedAt(records);
  if (received_at === undefined ? integratedAtMs === 0 : nowMs - Date.parse(received_at) <= maxClockAheadMs)
    return;
  const last = integratedAtMs === 0 ? 'holds nothing yet' : `was last sealed at ${toInstant(integratedAtMs)}`;
  const newest =
    received_at === undefined
      ? 'no record to seal was received by another clock'
      : `the newest record to seal was received at ${received_at}`;
  throw new PipelineError('CLOCK_AHEAD', `the clock says ${toInstant(nowMs)}; ${newest}, and ${log} ${last}`);
}

/**
 * Records of the program itself carry the clock that is in question, so they count only where the batch holds nothing
 * else. Those that the sequencer makes for this very bundle never count. The order of the texts is the order in time,
 * to the second.
 */
function newestReceivedAt(records: readonly AuditRecord[]): string | undefined {
  const received = records.filter(({ type }) => !MADE_BY_SEQUENCER.has(type));
  const others = received.filter(({ facts }) => facts.collector !== OWN_COLLECTOR);
  const judged = others.length > 0 ? others : received;
  let newest: string | undefined;
  for (const { received_at } of judged) {
    if (newest === undefined || received_at > newest) newest = received_at;
  }
  return newest;
}
