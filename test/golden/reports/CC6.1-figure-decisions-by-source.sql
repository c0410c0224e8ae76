-- figure.decisions-by-source
-- {"log":"p0","tree_size":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}
SELECT concat('decisions ', decision, ' by ', if(decision_source = '', 'nobody named', decision_source)) AS name, toString(count()) AS value
FROM records
WHERE log = {log:String}
  AND leaf_index < {tree_size:UInt64}
  AND received_at >= parseDateTime64BestEffort({from:String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to:String}, 3, 'UTC')
  AND type = 'tool.decided'
GROUP BY name
ORDER BY name
