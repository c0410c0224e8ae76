-- collector_silences
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","session_id":"s1","limit":100}
SELECT collector, collector_boot_id, silent_from, dateDiff('millisecond', silent_from, silent_to) AS silent_ms, interval_ms
FROM
(
    SELECT collector, collector_boot_id, heartbeat_at AS silent_from, if(is_last, ends_at, next_at) AS silent_to, interval_ms,
        is_last AND begun_at < max(begun_at) OVER (PARTITION BY collector) AS is_followed
    FROM
    (
        SELECT collector, collector_boot_id, received_at AS heartbeat_at,
            JSONExtractInt(content, 'interval_ms') AS interval_ms,
            leadInFrame(heartbeat_at) OVER (PARTITION BY collector, collector_boot_id ORDER BY heartbeat_at ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS next_at,
            next_at < heartbeat_at AS is_last,
            min(heartbeat_at) OVER (PARTITION BY collector, collector_boot_id) AS begun_at,
            (SELECT max(received_at) FROM records WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND collector IN (SELECT collector FROM records WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String})) AS ends_at
        FROM records
        WHERE type = 'collector.heartbeat' AND JSONExtractString(content, 'sent_by') = 'timer' AND JSONExtractInt(content, 'interval_ms') BETWEEN 1 AND 86400000
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND collector IN (SELECT collector FROM records WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String})
    )
    UNION ALL
    SELECT collector, argMinIf(collector_boot_id, received_at, type = 'collector.heartbeat' AND JSONExtractString(content, 'sent_by') = 'timer' AND JSONExtractInt(content, 'interval_ms') BETWEEN 1 AND 86400000) AS boot_id, min(received_at) AS silent_from,
        minIf(received_at, type = 'collector.heartbeat' AND JSONExtractString(content, 'sent_by') = 'timer' AND JSONExtractInt(content, 'interval_ms') BETWEEN 1 AND 86400000) AS silent_to,
        argMinIf(JSONExtractInt(content, 'interval_ms'), received_at, type = 'collector.heartbeat' AND JSONExtractString(content, 'sent_by') = 'timer' AND JSONExtractInt(content, 'interval_ms') BETWEEN 1 AND 86400000) AS interval_ms, false AS is_followed
    FROM records
    WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND collector IN (SELECT collector FROM records WHERE log = {log: String}
  AND leaf_index < {below: UInt64}
  AND session_id = {session_id: String})
    GROUP BY collector
    HAVING countIf(type = 'collector.heartbeat' AND JSONExtractString(content, 'sent_by') = 'timer' AND JSONExtractInt(content, 'interval_ms') BETWEEN 1 AND 86400000) > 0
)
WHERE NOT is_followed AND interval_ms > 0 AND silent_ms > 3 * interval_ms
ORDER BY collector, silent_from
LIMIT {limit: UInt32}
