/** Who should have been seen, told by the identity feed, and who of them was. docs/formats/completeness.md. */
import type { Query } from '../record-store.ts';
import { inScope, type CompletenessScope } from './completeness.ts';
import { paramsOf, tidy, where } from './conditions.ts';
import { receivedWithin } from './instants.ts';
import { typeList, WITNESSES } from './record-types.ts';
import { coveredBy } from './records.ts';

/** Names are compared in lower case: sources write one address in several ways. */
export interface RosterCounts {
  readonly expected_count: number;
  readonly seen_expected_count: number;
  readonly seen_count: number;
}

/** A person of only one side: expected and not seen, or seen and not expected. */
export interface RosterDifference {
  readonly person: string;
  readonly is_expected: boolean;
}

/** One row. */
export function rosterCounts(params: CompletenessScope): Query<RosterCounts> {
  const both = peopleOfBothSides(params);
  return {
    name: 'roster_counts',
    sql: tidy(`
SELECT countIf(is_expected) AS expected_count, countIf(is_expected AND is_seen) AS seen_expected_count,
    countIf(is_seen) AS seen_count
FROM
(${both.sql}
)`),
    params: both.params,
  };
}

/** By side, then name; those expected and not seen come first. */
export function rosterDifferences(
  params: CompletenessScope & { readonly limit: number },
): Query<RosterDifference> {
  const both = peopleOfBothSides(params);
  return {
    name: 'roster_differences',
    sql: tidy(`
SELECT person, toBool(is_expected) AS is_expected
FROM
(${both.sql}
)
WHERE is_expected != is_seen
ORDER BY is_expected DESC, person
LIMIT {limit: UInt32}`),
    params: { ...both.params, limit: params.limit },
  };
}

/**
 * The roster is what the feed had said by the end of the period: people told as expected, members of roles told as
 * expected, holders of keys; without those excused since, or gone. The last word counts, by the feed's own clock.
 */
function peopleOfBothSides(params: CompletenessScope) {
  const told = [
    { sql: `source = 'identity'`, params: {} },
    ...coveredBy(params),
    ...receivedWithin({ to: params.to }),
  ];
  const seen = [
    { sql: `source IN (${typeList(WITNESSES)})`, params: {} },
    ...inScope({ ...params, session_id: undefined }),
  ];
  return {
    sql: `
    WITH
        told AS (
            SELECT type, lowerUTF8(target_user) AS person, reason, virtual_key,
                (coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')), log, leaf_index) AS told_at
            FROM records
            ${where(told)}
        ),
        gone AS (${lastWords('person', { given: 'identity.joined', taken: 'identity.left', is: 'taken' })}),
        named AS (${lastWords('person', { given: 'identity.expected', taken: 'identity.excused', is: 'given' })}),
        excused AS (${lastWords('person', { given: 'identity.expected', taken: 'identity.excused', is: 'taken' })}),
        roles AS (${lastWords('reason', { given: 'identity.expected', taken: 'identity.excused', is: 'given' })} AND any(person) = ''),
        members AS (${lastWords('person, reason', { given: 'identity.role_granted', taken: 'identity.role_revoked', is: 'given' })}),
        holders AS (${lastWords('person, virtual_key', { given: 'identity.key_created', taken: 'identity.key_revoked', is: 'given' })})
    SELECT person, max(side = 'expected') AS is_expected, max(side = 'seen') AS is_seen
    FROM
    (
        SELECT person, 'expected' AS side
        FROM
        (
            SELECT person FROM named
            UNION ALL SELECT person FROM members WHERE reason IN (SELECT reason FROM roles)
            UNION ALL SELECT person FROM holders
        )
        WHERE person NOT IN (SELECT person FROM gone) AND person NOT IN (SELECT person FROM excused)
        UNION ALL
        SELECT DISTINCT lowerUTF8(claimed_user) AS person, 'seen' AS side
        FROM records
        ${where(seen)}
    )
    WHERE person != ''
    GROUP BY person`,
    params: paramsOf(told, seen),
  };
}

/** Keys about which the last of two kinds of events was the one asked for. */
function lastWords(
  key: string,
  kinds: { readonly given: string; readonly taken: string; readonly is: 'given' | 'taken' },
): string {
  return `
            SELECT ${key}
            FROM told
            WHERE type IN ('${kinds.given}', '${kinds.taken}')
            GROUP BY ${key}
            HAVING argMax(type, told_at) = '${kinds[kinds.is]}'`;
}
