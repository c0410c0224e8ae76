-- sequence_gaps
-- {"log":"p0","below":1000,"session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT session_id, install_id, missing_from, missing_to, noticed_at
FROM
(
SELECT session_id, install_id, min(first_lost) AS missing_from, max(last_lost) AS missing_to, max(lost.3) AS noticed_at
FROM
(
    SELECT session_id, install_id, is_number, lost, lost.1 AS first_lost, lost.2 AS last_lost,
        sum(last_lost - first_lost + 1) OVER (
            PARTITION BY session_id
            ORDER BY first_lost
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS lost_so_far
    FROM
    (
    SELECT
        session_id,
        install_id,
        point.1 AS is_number,
        point.2 AS first,
        point.3 AS last,
        max(point.4) AS latest_at,
        count() AS times,
        max(times) OVER (by_number ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS times_later,
        lagInFrame(first, 1, -1) OVER (by_number ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS below,
        leadInFrame(latest_at) OVER (by_number ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS next_latest_at
    FROM
    (
    SELECT
        session_id,
        install_id,
        numbers,
        events,
        arrayFilter(jump -> arrayExists(
            start -> start.1 = jump.number - 1 AND start.3 <= jump.at AND start.4 != session_id AND NOT arrayExists(
                other -> other.1 = jump.number AND other.2 >= start.3 AND (other.2, other.3) < (jump.at, session_id),
                machine_jumps
            ),
            starts
        ) OR arrayCount(start -> start.1 = jump.number - 1 AND start.3 <= jump.at AND start.4 != session_id, starts) >= arrayCount(
            other -> other.1 = jump.number AND (other.2, other.3) <= (jump.at, session_id),
            machine_jumps
        ), jumps) AS begun,
        arrayMap(
            jump -> (jump, arrayMax(arrayPushFront(arrayMap(start -> start.1, arrayFilter(start -> start.1 < jump.number - 1 AND start.2 >= jump.before AND start.3 <= jump.at AND start.4 != session_id
                AND NOT arrayExists(other -> other.1 = start.1 + 1 AND other.2 >= start.3, machine_jumps), starts)), -1))),
            arrayFilter(jump -> NOT (arrayExists(
            start -> start.1 = jump.number - 1 AND start.3 <= jump.at AND start.4 != session_id AND NOT arrayExists(
                other -> other.1 = jump.number AND other.2 >= start.3 AND (other.2, other.3) < (jump.at, session_id),
                machine_jumps
            ),
            starts
        ) OR arrayCount(start -> start.1 = jump.number - 1 AND start.3 <= jump.at AND start.4 != session_id, starts) >= arrayCount(
            other -> other.1 = jump.number AND (other.2, other.3) <= (jump.at, session_id),
            machine_jumps
        )), jumps)
        ) AS holes,
        arrayCount(begins) > 1 AND arrayExists(hole -> hole.1.begins_run AND hole.2 = -1, holes) AS disordered
    FROM
    (
    SELECT
        *,
        groupArrayIf(
            (arrayMax(numbers) AS reached, events[1].at AS started_at, events[-1].at AS reached_at, session_id AS start_id),
            is_provisional
        ) OVER (PARTITION BY install_id) AS starts,
        groupArrayArray(arrayMap(jump -> (jump.number, jump.at, session_id), jumps)) OVER (PARTITION BY install_id) AS machine_jumps
    FROM
    (
    SELECT
        session_id,
        install_id,
        is_provisional,
        events,
        arrayMap(event -> event.number, events) AS numbers,
        arrayMap((event, place) -> place = 1 OR event.number <= events[place - 1].number, events, arrayEnumerate(events)) AS begins,
        arrayFilter(
            jump -> jump.number > jump.expected,
            arrayMap(
                (event, begins_run, place) -> CAST(
                    (
                        event.at,
                        event.number,
                        if(begins_run, 0, events[place - 1].number + 1),
                        begins_run,
                        if(place = 1, toDateTime64('1900-01-01', 9, 'UTC'), events[place - 1].at),
                        event.received_at
                    ),
                    'Tuple(at DateTime64(9, \'UTC\'), number Int64, expected Int64, begins_run Bool, before DateTime64(9, \'UTC\'), received_at DateTime64(3, \'UTC\'))'
                ),
                events, begins, arrayEnumerate(events)
            )
        ) AS jumps
    FROM
    (
        SELECT
            session_id,
            maxIf(records.install_id, source = 'otel') AS install_id,
            countIf(source != 'otel' OR type NOT IN ('config.resolved', 'hook.registered', 'hook.started', 'hook.executed', 'extension.loaded', 'mcp.connected', 'metric.observed')) = 0 AS is_provisional,
            arraySort(groupArrayIf(
                CAST(
                    (coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')), assumeNotNull(event_sequence), log, leaf_index, received_at),
                    'Tuple(at DateTime64(9, \'UTC\'), number Int64, log String, leaf_index UInt64, received_at DateTime64(3, \'UTC\'))'
                ),
                source = 'otel' AND event_sequence IS NOT NULL
            )) AS events
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
    ARRAY JOIN if(
        disordered,
        arrayConcat(
            arrayMap(event -> (true, event.number, event.number, event.received_at), events),
            arrayFlatten(arrayMap(jump -> arrayMap(number -> (true, number, number, jump.received_at), range(0, jump.number)), begun))
        ),
        arrayMap(hole -> (false, greatest(hole.1.expected, hole.2 + 1), hole.1.number - 1, hole.1.received_at), holes)
    ) AS point
    GROUP BY session_id, install_id, is_number, first, last, if(is_number, toDateTime64(0, 3, 'UTC'), point.4)
    WINDOW by_number AS (PARTITION BY session_id ORDER BY first)
    )
    ARRAY JOIN if(
        is_number,
        arrayConcat(
            if(first > below + 1, [(below + 1, first - 1, latest_at)], []),
            if(times < times_later, [(first, first, next_latest_at)], [])
        ),
        [(first, last, latest_at)]
    ) AS lost
)
GROUP BY session_id, install_id, if(is_number, last_lost - lost_so_far, first_lost), if(is_number, toDateTime64(0, 3, 'UTC'), lost.3)
)
WHERE noticed_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND noticed_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND session_id = {session_id: String}
  AND session_id IN (SELECT session_id FROM records WHERE log = {log: String})
ORDER BY session_id, noticed_at, missing_from
