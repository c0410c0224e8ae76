import type { Query } from '../record-store.ts';
import { paramsOf, tidy, where } from './conditions.ts';
import { inScope, type CompletenessScope } from './completeness.ts';
import { typeList, WITNESSES } from './record-types.ts';

/** How many sessions with tool calls each witness took part in. */
export interface WitnessCounts {
  readonly session_count: number;
  readonly hook_count: number;
  readonly otel_count: number;
  readonly gateway_count: number;
  readonly transcript_count: number;
}

/** A session with tool calls in which a witness is silent that reports of other sessions. */
export interface SilentWitness {
  readonly session_id: string;
  readonly witness: (typeof WITNESSES)[number];
  readonly seen_by: readonly string[];
}

const WITNESS_ARRAY = `[${typeList(WITNESSES)}]`;

/** One row. */
export function witnessCounts(params: CompletenessScope): Query<WitnessCounts> {
  const conditions = [{ sql: `session_id != ''`, params: {} }, ...inScope(params)];
  return {
    name: 'witness_counts',
    sql: tidy(`
SELECT count() AS session_count,
    countIf(has(seen_by, 'hook')) AS hook_count, countIf(has(seen_by, 'otel')) AS otel_count,
    countIf(has(seen_by, 'gateway')) AS gateway_count, countIf(has(seen_by, 'transcript')) AS transcript_count
FROM
(
    SELECT session_id, groupUniqArray(toString(source)) AS seen_by
    FROM records
    ${where(conditions)}
    GROUP BY session_id
    HAVING countIf(tool_use_id != '') > 0
)`),
    params: paramsOf(conditions),
  };
}

/**
 * By session, then witness. Which witnesses are to be expected is taken from all sessions of the period, so that a
 * question about one session is answered as the period's is.
 */
export function silentWitnesses(
  params: CompletenessScope & { readonly limit: number },
): Query<SilentWitness> {
  const scope = inScope(params);
  const everywhere = inScope({ ...params, session_id: undefined });
  const isSession = { sql: `session_id != ''`, params: {} };
  return {
    name: 'silent_witnesses',
    sql: tidy(`
SELECT session_id, arrayJoin(arrayFilter(one -> NOT has(seen_by, one), expected)) AS witness, seen_by
FROM
(
    SELECT session_id, arraySort(groupUniqArrayIf(toString(source), has(${WITNESS_ARRAY}, source))) AS seen_by,
        (
            SELECT arraySort(groupUniqArrayIf(toString(source), has(${WITNESS_ARRAY}, source)))
            FROM records
            ${where([isSession, { sql: `tool_use_id != ''`, params: {} }, ...everywhere])}
        ) AS expected
    FROM records
    ${where([isSession, ...scope])}
    GROUP BY session_id
    HAVING countIf(tool_use_id != '') > 0
)
ORDER BY session_id, witness
LIMIT {limit: UInt32}`),
    params: { ...paramsOf(scope, everywhere), limit: params.limit },
  };
}
