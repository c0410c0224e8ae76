/** The roster of expected people, from the identity feed, and the people who were seen. docs/formats/completeness.md. */
import type { Query } from '../record-store.ts';
import { inScope, type CompletenessScope } from './completeness.ts';
import { paramsOf, tidy, where } from './conditions.ts';
import { OBSERVED_AT, receivedWithin } from './instants.ts';
import { typeList, WITNESSES } from './record-types.ts';
import { coveredBy } from './records.ts';

/** Names are compared in lower case, because sources write one address in several ways. */
export interface RosterCounts {
  readonly expected_count: number;
  readonly seen_expected_count: number;
  readonly seen_count: number;
}

/** A person who was expected and not seen, or seen and not expected. */
export interface RosterDifference {
  readonly person: string;
  readonly is_expected: boolean;
}

/** One row. */
export function rosterCounts(params: CompletenessScope): Query<RosterCounts> {
  const people = expectedAndSeen(params);
  return {
    name: 'roster_counts',
    sql: tidy(`
SELECT countIf(is_expected) AS expected_count, countIf(is_expected AND is_seen) AS seen_expected_count,
    countIf(is_seen) AS seen_count
FROM
(${people.sql}
)`),
    params: people.params,
  };
}

/** Expected people who were not seen come first. Each part is sorted by name. */
export function rosterDifferences(
  params: CompletenessScope & { readonly limit: number },
): Query<RosterDifference> {
  const people = expectedAndSeen(params);
  return {
    name: 'roster_differences',
    sql: tidy(`
SELECT person, toBool(is_expected) AS is_expected
FROM
(${people.sql}
)
WHERE is_expected != is_seen
ORDER BY is_expected DESC, person
LIMIT {limit: UInt32}`),
    params: { ...people.params, limit: params.limit },
  };
}

/**
 * The roster holds the people whom the feed had named by the end of the period: expected people, members of expected
 * roles, and holders of keys. People who were excused or left afterwards are not on it. Of two opposite events the
 * later one counts, by the feed's clock.
 */
function expectedAndSeen(params: CompletenessScope) {
  const identityEvents = [
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
        identity_events AS (
            SELECT type, lowerUTF8(target_user) AS person, reason, virtual_key,
                (${OBSERVED_AT}, log, leaf_index) AS ordered_by
            FROM records
            ${where(identityEvents)}
        ),
        left_people AS (${latestIs('person', { given: 'identity.joined', taken: 'identity.left', is: 'taken' })}),
        expected_people AS (${latestIs('person', { given: 'identity.expected', taken: 'identity.excused', is: 'given' })}),
        excused_people AS (${latestIs('person', { given: 'identity.expected', taken: 'identity.excused', is: 'taken' })}),
        expected_roles AS (${latestIs('reason', { given: 'identity.expected', taken: 'identity.excused', is: 'given' })} AND any(person) = ''),
        role_members AS (${latestIs('person, reason', { given: 'identity.role_granted', taken: 'identity.role_revoked', is: 'given' })}),
        key_holders AS (${latestIs('person, virtual_key', { given: 'identity.key_created', taken: 'identity.key_revoked', is: 'given' })})
    SELECT person, max(side = 'expected') AS is_expected, max(side = 'seen') AS is_seen
    FROM
    (
        SELECT person, 'expected' AS side
        FROM
        (
            SELECT person FROM expected_people
            UNION ALL SELECT person FROM role_members WHERE reason IN (SELECT reason FROM expected_roles)
            UNION ALL SELECT person FROM key_holders
        )
        WHERE person NOT IN (SELECT person FROM left_people) AND person NOT IN (SELECT person FROM excused_people)
        UNION ALL
        SELECT DISTINCT lowerUTF8(claimed_user) AS person, 'seen' AS side
        FROM records
        ${where(seen)}
    )
    WHERE person != ''
    GROUP BY person`,
    params: paramsOf(identityEvents, seen),
  };
}

/** The keys for which the latest event of two opposite types is the given one. */
function latestIs(
  key: string,
  kinds: { readonly given: string; readonly taken: string; readonly is: 'given' | 'taken' },
): string {
  return `
            SELECT ${key}
            FROM identity_events
            WHERE type IN ('${kinds.given}', '${kinds.taken}')
            GROUP BY ${key}
            HAVING argMax(type, ordered_by) = '${kinds[kinds.is]}'`;
}
