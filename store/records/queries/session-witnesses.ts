import type { Query } from '../record-store.ts';
import { paramsOf, tidy, where } from './conditions.ts';
import { inScope, type CompletenessScope } from './completeness.ts';
import { typeList, WITNESSES } from './record-types.ts';

/** The number of sessions with tool calls that each witness reported. */
export interface WitnessCounts {
  readonly session_count: number;
  readonly hook_count: number;
  readonly otel_count: number;
  readonly gateway_count: number;
  readonly transcript_count: number;
}

/** A session with tool calls and a witness that is silent there, though it reported other sessions. */
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
 * By session, then witness. The expected witnesses are those of all sessions of the period, so a query about one
 * session gives the same answer for it as a query about the period.
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
SELECT session_id, arrayJoin(arrayFilter(name -> NOT has(seen_by, name), expected)) AS witness, seen_by
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
