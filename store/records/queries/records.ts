import { LEAF_HASH_SQL, LEAF_SQL } from './leaf-sql.ts';
import type { Query } from '../record-store.ts';
import { equals, given, paramsOf, tidy, where, type Condition } from './conditions.ts';
import { occurredWithin, receivedWithin } from './instants.ts';

/** Filters for a list or a count of records. Intervals are half-open. */
export interface RecordFilters {
  readonly type?: readonly string[] | undefined;
  readonly source?: string | undefined;
  readonly session_id?: string | undefined;
  readonly tool_use_id?: string | undefined;
  readonly prompt_id?: string | undefined;
  readonly request_id?: string | undefined;
  readonly claimed_user?: string | undefined;
  readonly collector?: string | undefined;
  readonly tool_name?: string | undefined;
  readonly decision?: string | undefined;
  readonly received_from?: string | undefined;
  readonly received_to?: string | undefined;
  readonly occurred_from?: string | undefined;
  readonly occurred_to?: string | undefined;
  /** Words that the content must all contain, in any case and order. */
  readonly text?: string | undefined;
  readonly log?: string | undefined;
  /** Only records under a checkpoint of this size. */
  readonly below?: number | undefined;
}

/** Place of a record: lists of records rise by log and leaf index. */
export interface RecordPosition {
  readonly log: string;
  readonly leaf_index: number;
}

/** A record as lists show it. Its parts are canonical JSON text, '' where there is none. */
export interface ListedRecord extends RecordPosition {
  readonly leaf_hash: string;
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly principal: string;
  readonly subject: string;
  readonly retention_class: string;
  readonly received_at: string;
  readonly integrated_at: string;
  readonly facts: string;
  readonly person: string;
  /** Present only if the query asked for it. */
  readonly content?: string;
}

/** A record with the members that a proof of it needs. */
export interface DetailedRecord extends ListedRecord {
  readonly chain_hash: string;
  readonly leaf: string;
  readonly facts_secret: string;
  readonly person_secret: string;
}

const LISTED_COLUMNS = [
  'log',
  'leaf_index',
  `${LEAF_HASH_SQL} AS leaf_hash`,
  'id',
  'type',
  'source',
  'principal',
  'subject',
  'retention_class',
  'received_at',
  'integrated_at',
  'facts',
  'person',
] as const;

/** One page of records in the order of the log, from behind `after`. */
export function listRecords(params: {
  readonly filters?: RecordFilters;
  readonly after?: RecordPosition | undefined;
  readonly limit: number;
  readonly withContent?: boolean | undefined;
}): Query<ListedRecord> {
  const conditions = [...afterPosition(params.after), ...recordConditions(params.filters ?? {})];
  const columns = [...LISTED_COLUMNS, ...(params.withContent === true ? ['content'] : [])];
  return {
    name: 'list_records',
    sql: tidy(`
SELECT ${columns.join(', ')}
FROM records
${where(conditions)}
ORDER BY log, leaf_index
LIMIT {limit: UInt32}`),
    params: { ...paramsOf(conditions), limit: params.limit },
  };
}

/** The number of records that the same filters select. */
export function countRecords(params: {
  readonly filters?: RecordFilters;
}): Query<{ readonly record_count: number }> {
  const conditions = recordConditions(params.filters ?? {});
  return {
    name: 'count_records',
    sql: tidy(`
SELECT count() AS record_count
FROM records
${where(conditions)}`),
    params: paramsOf(conditions),
  };
}

/** One record, or no row. */
export function getRecord(params: {
  readonly id: string;
  readonly withContent?: boolean | undefined;
}): Query<DetailedRecord> {
  const columns = [
    ...LISTED_COLUMNS,
    'chain_hash',
    `${LEAF_SQL} AS leaf`,
    'facts_secret',
    'person_secret',
    ...(params.withContent === true ? ['content'] : []),
  ];
  return {
    name: 'get_record',
    sql: tidy(`
SELECT ${columns.join(', ')}
FROM records
WHERE id = {id: String}
LIMIT 1`),
    params: { id: params.id },
  };
}

/** The only WHERE builder of records, so lists and counts with the same filters select the same rows. */
export function recordConditions(filters: RecordFilters): Condition[] {
  return [
    ...coveredBy(filters),
    ...given(filters.type, (type) => ({ sql: 'type IN {type: Array(String)}', params: { type } })),
    ...equals('source', filters.source),
    ...equals('session_id', filters.session_id),
    ...equals('tool_use_id', filters.tool_use_id),
    ...equals('prompt_id', filters.prompt_id),
    ...equals('request_id', filters.request_id),
    ...equals('claimed_user', filters.claimed_user),
    ...equals('collector', filters.collector),
    ...equals('tool_name', filters.tool_name),
    ...equals('decision', filters.decision),
    ...receivedWithin({ from: filters.received_from, to: filters.received_to }, 'received_'),
    ...occurredWithin({ from: filters.occurred_from, to: filters.occurred_to }, 'occurred_'),
    // The index preprocesses both sides in the same way, so case and JSON escapes do not matter.
    ...given(filters.text, (text) => ({ sql: 'hasAllTokens(content, {text: String})', params: { text } })),
  ];
}

/** The records under a checkpoint: those of one log, below its size. */
export interface Covered {
  readonly log?: string | undefined;
  readonly below?: number | undefined;
}

/** Narrows a query to the records that a checkpoint covers, so that it gives the same rows later. */
export function coveredBy({ log, below }: Covered): Condition[] {
  return [...equals('log', log), ...belowSize(below)];
}

/** Only records below a checkpoint of this size, in any log. */
export function belowSize(below: number | undefined): Condition[] {
  return given(below, (size) => ({ sql: 'leaf_index < {below: UInt64}', params: { below: size } }));
}

function afterPosition(after: RecordPosition | undefined): Condition[] {
  if (after === undefined) return [];
  // Written as two comparisons, because the engine does not use the sort key for a comparison of tuples.
  return [
    {
      sql: '(log > {after_log: String} OR (log = {after_log: String} AND leaf_index > {after_index: UInt64}))',
      params: { after_log: after.log, after_index: after.leaf_index },
    },
  ];
}
