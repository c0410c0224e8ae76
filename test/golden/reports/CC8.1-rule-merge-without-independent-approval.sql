-- exception.merge-without-independent-approval
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT '' AS session_id, '' AS tool_use_id, merge_record_ids AS record_ids
FROM
(
SELECT *, arrayFilter(o -> NOT is_merged OR o.1 <= merged_at, opinions) AS counted_opinions,
    arrayFilter(o -> o.5 = 'approved' AND NOT arrayExists(
        l -> (l.1, l.2) > (o.1, o.2) AND l.3 IN (o.3, '*') AND (l.4 = o.4 OR l.5 != 'dismissed'),
        counted_opinions), counted_opinions) AS standing_approvals,
    arrayFilter(o -> o.5 = 'approved' AND arrayExists(
        l -> (l.1, l.2) > (o.1, o.2) AND l.3 IN (o.3, '*') AND (l.4 = o.4 OR l.5 != 'dismissed'),
        counted_opinions), counted_opinions) AS superseded_approvals,
    arrayFilter(o -> is_merged AND o.5 = 'approved' AND o.1 > merged_at, opinions) AS late_approvals
FROM
(
SELECT
    change,
    min(change_repository) AS repository,
    minIf(target_user, (type IN ('change.proposed', 'change.merged', 'change.closed') OR type = 'change.reviewed') AND target_user != '') AS author,
    groupUniqArrayIf(git_commit_id, type != 'change.merged' AND git_commit_id != '') AS heads_seen,
    argMaxIf(head, (at, position), type IN ('change.proposed', 'change.updated', 'change.merged') AND head != '') AS last_head,
    argMinIf(git_commit_id, (at, position), type = 'change.merged' AND git_commit_id != '') AS merge_commit,
    argMaxIf(head_branch, (at, position), head_branch.2 != '') AS last_head_branch,
    argMaxIf(base, (at, position), base.1 != '') AS last_base,
    countIf(type = 'change.merged') > 0 AS is_merged,
    minIf(at, type = 'change.merged') AS merged_at,
    argMinIf(claimed_user, (at, position), type = 'change.merged' AND claimed_user != '') AS merged_by,
    argMaxIf(type, (at, position), type IN ('change.proposed', 'change.merged', 'change.closed')) AS last_turn,
    maxIf(at, type IN ('change.merged', 'change.closed')) AS ended_at,
    arraySort(groupArrayIf((at, position, reviewer, review_id, toString(decision), git_commit_id, id), type = 'change.reviewed' AND decision IN ('approved', 'changes_requested', 'dismissed'))) AS opinions,
    maxIf(received_at, type = 'change.merged') AS merge_received_at,
    arrayMap(place -> place.2, arraySort(groupArrayIf((position, id), type IN ('change.proposed', 'change.merged', 'change.closed')))) AS turn_record_ids,
    arrayMap(place -> place.2, arraySort(groupArrayIf((position, id), type = 'change.merged'))) AS merge_record_ids
FROM
(
SELECT
    if(change_id = '', id, change_id) AS change,
    toString(repository) AS change_repository,
    toString(type) AS type, id, git_commit_id, claimed_user, target_user, decision, received_at, coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')) AS at, (log, leaf_index) AS position,
    JSONExtract(content, 'Tuple(pull_request Tuple(head Tuple(sha String, ref String, repo Tuple(full_name String)), base Tuple(ref String)), review Tuple(id String, user Tuple(login String)), repository Tuple(default_branch String), object_attributes Tuple(last_commit Tuple(id String), source Tuple(path_with_namespace String), source_branch String, target_branch String, system_action String), project Tuple(default_branch String))') AS told,
    concat(told.pull_request.head.sha, told.object_attributes.last_commit.id) AS told_head,
    if(told_head = '' AND type != 'change.merged', git_commit_id, told_head) AS head,
    (
        concat(told.pull_request.head.repo.full_name, told.object_attributes.source.path_with_namespace),
        concat(told.pull_request.head.ref, told.object_attributes.source_branch)
    ) AS head_branch,
    concat(told.pull_request.base.ref, told.object_attributes.target_branch) AS base_branch,
    (base_branch, base_branch = concat(told.repository.default_branch, told.project.default_branch)) AS base,
    multiIf(
        told.object_attributes.system_action = 'approvals_reset_on_push', '*',
        told.review.user.login != '', told.review.user.login,
        claimed_user) AS reviewer,
    told.review.id AS review_id
FROM records
WHERE source = 'forge' AND type IN ('change.proposed', 'change.updated', 'change.reviewed', 'change.merged', 'change.closed')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
)
GROUP BY change
)
)
WHERE is_merged AND empty(arrayFilter(o -> author != '' AND o.3 != '' AND NOT endsWith(o.3, '[bot]') AND NOT has([lower(author)], lower(o.3)), standing_approvals))
  AND merge_received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND merge_received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
ORDER BY merged_at, change
LIMIT {limit: UInt32}
