-- roster_differences
-- {"log":"p0","below":1000,"to":"2026-04-01T00:00:00Z","from":"2026-01-01T00:00:00Z","limit":100}
SELECT person, toBool(is_expected) AS is_expected
FROM
(
    WITH
        identity_events AS (
            SELECT type, lowerUTF8(target_user) AS person, reason, virtual_key,
                (coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')), log, leaf_index) AS ordered_by
            FROM records
            WHERE source = 'identity'
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
        ),
        left_people AS (
            SELECT person
            FROM identity_events
            WHERE type IN ('identity.joined', 'identity.left')
            GROUP BY person
            HAVING argMax(type, ordered_by) = 'identity.left'),
        expected_people AS (
            SELECT person
            FROM identity_events
            WHERE type IN ('identity.expected', 'identity.excused')
            GROUP BY person
            HAVING argMax(type, ordered_by) = 'identity.expected'),
        excused_people AS (
            SELECT person
            FROM identity_events
            WHERE type IN ('identity.expected', 'identity.excused')
            GROUP BY person
            HAVING argMax(type, ordered_by) = 'identity.excused'),
        expected_roles AS (
            SELECT reason
            FROM identity_events
            WHERE type IN ('identity.expected', 'identity.excused')
            GROUP BY reason
            HAVING argMax(type, ordered_by) = 'identity.expected' AND any(person) = ''),
        role_members AS (
            SELECT person, reason
            FROM identity_events
            WHERE type IN ('identity.role_granted', 'identity.role_revoked')
            GROUP BY person, reason
            HAVING argMax(type, ordered_by) = 'identity.role_granted'),
        key_holders AS (
            SELECT person, virtual_key
            FROM identity_events
            WHERE type IN ('identity.key_created', 'identity.key_revoked')
            GROUP BY person, virtual_key
            HAVING argMax(type, ordered_by) = 'identity.key_created')
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
        WHERE source IN ('hook', 'otel', 'gateway', 'transcript')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
    )
    WHERE person != ''
    GROUP BY person
)
WHERE is_expected != is_seen
ORDER BY is_expected DESC, person
LIMIT {limit: UInt32}
