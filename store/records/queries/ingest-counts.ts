/** The sequencer's own counts: what it read and did not seal as a record. */
import type { Query } from '../record-store.ts';
import { inScope, type CompletenessScope } from './completeness.ts';
import { paramsOf, tidy, where } from './conditions.ts';
import { within } from './instants.ts';

export interface IngestCounts {
  /** Entries of the event log that held no envelope of a writer of this deployment. */
  readonly dead_letter_count: number;
  /** Entries of the event log that a writer numbered and that were not read. */
  readonly missing_count: number;
  /** Entries that name another entry before them than the one that was read. */
  readonly forked_count: number;
  /** How often the operator accepted another event log. */
  readonly replaced_count: number;
  /** How often a log continued another one, of which only a part is trusted. */
  readonly begun_count: number;
}

/**
 * Only records that the sequencer made count: no sender can give a record the source `affidavit`. A record counts in
 * every period that reaches into the time between its `missing_since` and its `received_at`. Without `missing_since`
 * nobody knows the beginning, so the record counts in every period before it.
 */
export function ingestCounts({ from, to, ...others }: CompletenessScope): Query<IngestCounts> {
  const missingSince = `ifNull(parseDateTime64BestEffortOrNull(missing_since, 3, 'UTC'), toDateTime64(0, 3, 'UTC'))`;
  const conditions = [
    {
      sql: "type IN ('ingest.counted', 'event_log.gap', 'event_log.replaced', 'generation.begun')",
      params: {},
    },
    { sql: "source = 'affidavit'", params: {} },
    ...inScope({ ...others, from }),
    ...within(missingSince, { to }, { prefix: '', digits: 3 }),
  ];
  return {
    name: 'ingest_counts',
    sql: tidy(`
SELECT
  sum(ifNull(dead_letter_count, 0)) AS dead_letter_count,
  sumIf(ifNull(last_number, 0) - ifNull(first_number, 0) + 1, type = 'event_log.gap' AND reason = 'missing') AS missing_count,
  countIf(type = 'event_log.gap' AND reason = 'forked') AS forked_count,
  countIf(type = 'event_log.replaced') AS replaced_count,
  countIf(type = 'generation.begun') AS begun_count
FROM records
${where(conditions)}`),
    params: paramsOf(conditions),
  };
}
