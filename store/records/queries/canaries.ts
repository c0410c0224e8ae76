/** Canaries: synthetic events whose sender announces each after sending it. docs/formats/completeness.md. */
import type { Query } from '../record-store.ts';
import { ofCollectors } from './collectors.ts';
import type { CompletenessScope } from './completeness.ts';
import { paramsOf, tidy, where } from './conditions.ts';
import { coveredBy } from './records.ts';

/** Canaries announced in the period, and how many of them are records, by the source they went through. */
export interface CanaryCount {
  readonly through: string;
  readonly announced_count: number;
  readonly found_count: number;
}

/** A canary that was announced and of which no record is found. */
export interface MissingCanary {
  readonly session_id: string;
  readonly through: string;
  readonly announced_at: string;
}

/** By source. */
export function canaryCounts(params: CompletenessScope): Query<CanaryCount> {
  const announced = canaries(params);
  return {
    name: 'canary_counts',
    sql: tidy(`
SELECT through, count() AS announced_count, countIf(is_found) AS found_count
FROM
(${announced.sql}
)
GROUP BY through
ORDER BY through`),
    params: announced.params,
  };
}

/** By the time of the announcement. */
export function missingCanaries(
  params: CompletenessScope & { readonly limit: number },
): Query<MissingCanary> {
  const announced = canaries(params);
  return {
    name: 'missing_canaries',
    sql: tidy(`
SELECT session_id, through, announced_at
FROM
(${announced.sql}
)
WHERE NOT is_found
ORDER BY announced_at, session_id, through
LIMIT {limit: UInt32}`),
    params: { ...announced.params, limit: params.limit },
  };
}

/** The announcement is sent after the canary, so a checkpoint that covers one covers both. */
function canaries(params: CompletenessScope) {
  const announced = [{ sql: `type = 'canary.sent'`, params: {} }, ...ofCollectors(params)];
  const found = [{ sql: 'synthetic = true', params: {} }, ...coveredBy(params)];
  return {
    sql: `
    SELECT session_id, through, announced_at,
        (session_id, through) IN (SELECT session_id, toString(source) FROM records ${where(found)}) AS is_found
    FROM
    (
        SELECT session_id, reason AS through, min(received_at) AS announced_at
        FROM records
        ${where(announced)}
        GROUP BY session_id, through
    )`,
    params: paramsOf(announced, found),
  };
}
