-- delivery_gaps
-- {"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT collector, collector_boot_id, below + 1 AS missing_from, number - 1 AS missing_to, noticed_at
FROM
(
    SELECT collector, collector_boot_id, number, noticed_at,
        lagInFrame(number) OVER (PARTITION BY collector, collector_boot_id ORDER BY number ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS below
    FROM
    (
        SELECT collector, collector_boot_id, number, is_carried,
            min(first_at) OVER (PARTITION BY collector, collector_boot_id ORDER BY number ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS noticed_at,
            max(number) OVER (PARTITION BY collector, collector_boot_id) AS last_number
        FROM
        (
            -- A heartbeat counts as the number after the last one taken, so a hole at the end shows.
            SELECT collector, collector_boot_id, min(received_at) AS first_at,
                toInt64(assumeNotNull(collector_sequence)) + (type = 'collector.heartbeat') AS number,
                countIf(type != 'collector.heartbeat') > 0 AS is_carried
            FROM records
            WHERE collector_boot_id != ''
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND collector IN (SELECT collector FROM records WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String})
  AND collector_sequence IS NOT NULL
            GROUP BY collector, collector_boot_id, number
        )
    )
    WHERE is_carried OR number = last_number
)
WHERE number > below + 1
  AND noticed_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND noticed_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
ORDER BY collector, collector_boot_id, missing_from
