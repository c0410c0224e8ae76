-- session_counters
-- {"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT session_id, install_id, toBool(is_provisional) AS is_provisional,
    toBool(session_id = {session_id: String} AND session_id IN (SELECT session_id FROM records WHERE log = {log: String})) AS is_asked, stretches
FROM
(
    SELECT *, max(has_jump) OVER (PARTITION BY install_id) AS machine_has_jump
    FROM
    (
        SELECT *, arrayExists(stretch -> stretch.first > 0, stretches) AS has_jump
        FROM
        (
        SELECT session_id, install_id, is_provisional,
            arrayMap(
                part -> CAST((part[1].number, part[-1].number, part[1].at, part[-1].at, part[1].received_at), 'Tuple(first Int64, last Int64, first_at DateTime64(9, \'UTC\'), last_at DateTime64(9, \'UTC\'), received_at DateTime64(3, \'UTC\'))'),
                arraySplit(
                    (event, before) -> event.number != before.number + 1 OR (may_be_counted AND event.received_at != before.received_at),
                    events, arrayRotateRight(events, 1)
                )
            ) AS stretches
        FROM
        (
            SELECT *,
                arrayExists((event, before) -> event.number <= before.number, arrayPopFront(events), arrayPopBack(events))
                AND (
                    events[1].number > 0
                    OR arrayExists((event, before) -> event.number > 0 AND event.number <= before.number, arrayPopFront(events), arrayPopBack(events))
                ) AS may_be_counted
            FROM
            (
                SELECT
                    session_id,
                    maxIf(records.install_id, source = 'otel') AS install_id,
                    countIf(source != 'otel' OR type NOT IN ('config.resolved', 'hook.registered', 'hook.started', 'hook.executed', 'extension.loaded', 'mcp.connected', 'metric.observed')) = 0 AS is_provisional,
                    arraySort(groupArrayIf(CAST((coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')), assumeNotNull(event_sequence), log, leaf_index, received_at), 'Tuple(at DateTime64(9, \'UTC\'), number Int64, log String, leaf_index UInt64, received_at DateTime64(3, \'UTC\'))'), source = 'otel' AND event_sequence IS NOT NULL)) AS events
                FROM records
                WHERE session_id != ''
  AND (log = {log: String} AND leaf_index < {below: UInt64} OR (log != {log: String} AND source = 'otel' AND type IN ('config.resolved', 'hook.registered', 'hook.started', 'hook.executed', 'extension.loaded', 'mcp.connected', 'metric.observed')))
  AND (
                session_id IN (SELECT session_id FROM records WHERE session_id = {session_id: String}
  AND received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC'))
                OR session_id NOT IN (SELECT session_id FROM records WHERE NOT (source = 'otel' AND type IN ('config.resolved', 'hook.registered', 'hook.started', 'hook.executed', 'extension.loaded', 'mcp.connected', 'metric.observed')))
            )
                GROUP BY session_id
                HAVING notEmpty(events)
            )
        )
        )
    )
)
WHERE machine_has_jump AND (has_jump OR is_provisional)
ORDER BY install_id, session_id
