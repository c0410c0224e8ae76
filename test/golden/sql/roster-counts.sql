-- roster_counts
-- {"log":"p0","below":1000,"to":"2026-04-01T00:00:00Z","from":"2026-01-01T00:00:00Z"}
SELECT countIf(is_expected) AS expected_count, countIf(is_expected AND is_seen) AS seen_expected_count,
    countIf(is_seen) AS seen_count
FROM
(
    WITH
        told AS (
            SELECT type, lowerUTF8(target_user) AS person, reason, virtual_key,
                (coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')), log, leaf_index) AS told_at
            FROM records
            WHERE source = 'identity'
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
        ),
        gone AS (
            SELECT person
            FROM told
            WHERE type IN ('identity.joined', 'identity.left')
            GROUP BY person
            HAVING argMax(type, told_at) = 'identity.left'),
        named AS (
            SELECT person
            FROM told
            WHERE type IN ('identity.expected', 'identity.excused')
            GROUP BY person
            HAVING argMax(type, told_at) = 'identity.expected'),
        excused AS (
            SELECT person
            FROM told
            WHERE type IN ('identity.expected', 'identity.excused')
            GROUP BY person
            HAVING argMax(type, told_at) = 'identity.excused'),
        roles AS (
            SELECT reason
            FROM told
            WHERE type IN ('identity.expected', 'identity.excused')
            GROUP BY reason
            HAVING argMax(type, told_at) = 'identity.expected' AND any(person) = ''),
        members AS (
            SELECT person, reason
            FROM told
            WHERE type IN ('identity.role_granted', 'identity.role_revoked')
            GROUP BY person, reason
            HAVING argMax(type, told_at) = 'identity.role_granted'),
        holders AS (
            SELECT person, virtual_key
            FROM told
            WHERE type IN ('identity.key_created', 'identity.key_revoked')
            GROUP BY person, virtual_key
            HAVING argMax(type, told_at) = 'identity.key_created')
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
        WHERE source IN ('hook', 'otel', 'gateway', 'transcript')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
    )
    WHERE person != ''
    GROUP BY person
)
