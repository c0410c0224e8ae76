-- population.agent-changes
-- {"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","log":"p0","below":1000,"limit":100}
SELECT git_commit_id,
    nullIf(if(length(forge_commit_ids) = 1, forge_commit_ids[1], ''), '') AS forge_commit_id,
    session_ids, tool_use_ids, claimed_users,
    replaceRegexpOne(replaceOne(toString(first_occurred_at), ' ', 'T'), '0{0,6}$', 'Z') AS occurred_at,
    pushed_to, pushers, on_default_branch, change_ids,
    nullIf(decisive.change, '') AS change_id,
    decisive.joined_by AS joined_by,
    nullIf(decisive.author, '') AS author,
    nullIf(decisive.head, '') AS head_commit_id,
    nullIf(decisive.merge_commit, '') AS merge_commit_id,
    replaceRegexpOne(replaceOne(toString(decisive.merged_at), ' ', 'T'), '0{0,6}$', 'Z') AS merged_at,
    nullIf(decisive.merged_by, '') AS merged_by,
    decisive.approvers AS approvers,
    decisive.late_approvers AS late_approvers,
    decisive.withdrawn_approvers AS withdrawn_approvers,
    decisive.approved_head AS approved_head,
    checks,
    state,
    record_ids
FROM
(
-- select_changes
)
ORDER BY first_position
LIMIT {limit: UInt32}
