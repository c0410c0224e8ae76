import type { Query } from '../record-store.ts';
import { paramsOf, tidy, where } from './conditions.ts';
import { receivedWithin, type Interval } from './instants.ts';
import { coveredBy, type Covered, type RecordPosition } from './records.ts';

/** An item that could not be sealed as the kind it claimed to be. Its bytes are the content of the same record. */
export interface QuarantinedRecord extends RecordPosition {
  readonly id: string;
  readonly received_at: string;
  readonly integrated_at: string;
  readonly collector: string;
  /** Wire format of the request that held it. */
  readonly source_event: string;
  readonly quarantine_reason: string;
  /** JSON pointer into the body, '' for the whole. */
  readonly quarantine_pointer: string;
  readonly body_sha256: string;
  readonly input_size_bytes: number | null;
}

/** One page of quarantined items in the order of the log, from behind `after`. */
export function listQuarantine(params: {
  readonly after?: RecordPosition | undefined;
  readonly limit: number;
}): Query<QuarantinedRecord> {
  const { after } = params;
  const position =
    after === undefined
      ? ''
      : 'AND (log > {after_log: String} OR (log = {after_log: String} AND leaf_index > {after_index: UInt64}))';
  return {
    name: 'list_quarantine',
    sql: tidy(`
SELECT log, leaf_index, id, received_at, integrated_at, collector, source_event, quarantine_reason,
    quarantine_pointer, body_sha256, input_size_bytes
FROM records
WHERE type = 'quarantined'
  ${position}
ORDER BY log, leaf_index
LIMIT {limit: UInt32}`),
    params: {
      ...(after === undefined ? {} : { after_log: after.log, after_index: after.leaf_index }),
      limit: params.limit,
    },
  };
}

/** The number of items quarantined in a period, by reason and wire format. */
export function quarantineCounts(params: Interval & Covered): Query<{
  readonly quarantine_reason: string;
  readonly source_event: string;
  readonly item_count: number;
}> {
  const conditions = [
    { sql: `type = 'quarantined'`, params: {} },
    ...receivedWithin(params),
    ...coveredBy(params),
  ];
  return {
    name: 'quarantine_counts',
    sql: tidy(`
SELECT quarantine_reason, source_event, count() AS item_count
FROM records
${where(conditions)}
GROUP BY quarantine_reason, source_event
ORDER BY quarantine_reason, source_event`),
    params: paramsOf(conditions),
  };
}
