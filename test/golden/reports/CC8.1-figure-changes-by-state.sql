-- figure.changes-by-state
-- {"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","log":"p0","below":1000}
SELECT concat('agent commits ', state) AS name, toString(commit_count) AS value
FROM
(
SELECT state, count() AS commit_count
FROM
(
-- select_changes
)
GROUP BY state
ORDER BY state
)
ORDER BY name
