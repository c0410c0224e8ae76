/** Made-up events whose sender told of them, and whether they came through. docs/formats/completeness.md. */
import type { Query } from '../record-store.ts';
import { ofCollectors } from './collectors.ts';
import type { CompletenessScope } from './completeness.ts';
import { paramsOf, tidy, where } from './conditions.ts';
import { coveredBy } from './records.ts';

/** How many canaries were told of in the period, and how many of them are records, by the source they went through. */
export interface CanaryCount {
  readonly through: string;
  readonly told_count: number;
  readonly found_count: number;
}

/** One that was told of and is not there. */
export interface MissingCanary {
  readonly session_id: string;
  readonly through: string;
  readonly told_at: string;
}

/** By source. */
export function canaryCounts(params: CompletenessScope): Query<CanaryCount> {
  const told = canaries(params);
  return {
    name: 'canary_counts',
    sql: tidy(`
SELECT through, count() AS told_count, countIf(is_found) AS found_count
FROM
(${told.sql}
)
GROUP BY through
ORDER BY through`),
    params: told.params,
  };
}

/** By the time at which they were told of. */
export function missingCanaries(
  params: CompletenessScope & { readonly limit: number },
): Query<MissingCanary> {
  const told = canaries(params);
  return {
    name: 'missing_canaries',
    sql: tidy(`
SELECT session_id, through, told_at
FROM
(${told.sql}
)
WHERE NOT is_found
ORDER BY told_at, session_id, through
LIMIT {limit: UInt32}`),
    params: { ...told.params, limit: params.limit },
  };
}

/** A canary is told of after it was sent, so whatever covers the word of it covers the canary. */
function canaries(params: CompletenessScope) {
  const told = [{ sql: `type = 'canary.sent'`, params: {} }, ...ofCollectors(params)];
  const found = [{ sql: 'synthetic = true', params: {} }, ...coveredBy(params)];
  return {
    sql: `
    SELECT session_id, through, told_at,
        (session_id, through) IN (SELECT session_id, toString(source) FROM records ${where(found)}) AS is_found
    FROM
    (
        SELECT session_id, reason AS through, min(received_at) AS told_at
        FROM records
        ${where(told)}
        GROUP BY session_id, through
    )`,
    params: paramsOf(told, found),
  };
}
