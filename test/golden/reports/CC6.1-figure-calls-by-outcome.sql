-- figure.calls-by-outcome
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT concat('tool calls ', outcome) AS name, toString(call_count) AS value
FROM
(
SELECT verdict.outcome AS outcome, count() AS call_count
FROM
(
-- select_calls
)
GROUP BY outcome
ORDER BY outcome
)
ORDER BY name
