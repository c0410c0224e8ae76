-- exception.merge-without-independent-approval
-- {"log":"p0","below":1000,"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","limit":100}
SELECT '' AS session_id, '' AS tool_use_id, merge_record_ids AS record_ids
FROM
(
SELECT *, arrayFilter(review -> NOT is_merged OR review.at <= merged_at, reviews) AS counted_reviews,
    arrayFilter(review -> review.decision = 'approved' AND NOT arrayExists(
        later -> (later.at, later.position) > (review.at, review.position)
            AND later.reviewer IN (review.reviewer, '*')
            AND (later.review_id = review.review_id OR later.decision != 'dismissed'),
        counted_reviews), counted_reviews) AS standing_approvals,
    arrayFilter(review -> review.decision = 'approved' AND arrayExists(
        later -> (later.at, later.position) > (review.at, review.position)
            AND later.reviewer IN (review.reviewer, '*')
            AND (later.review_id = review.review_id OR later.decision != 'dismissed'),
        counted_reviews), counted_reviews) AS superseded_approvals,
    arrayFilter(review -> is_merged AND review.decision = 'approved' AND review.at > merged_at, reviews) AS late_approvals
FROM
(
SELECT
    change,
    min(change_repository) AS repository,
    minIf(target_user, (type IN ('change.proposed', 'change.merged', 'change.closed') OR type = 'change.reviewed') AND target_user != '') AS author,
    groupUniqArrayIf(git_commit_id, type != 'change.merged' AND git_commit_id != '') AS heads_seen,
    argMaxIf(head, (at, position), type IN ('change.proposed', 'change.updated', 'change.merged') AND head != '') AS last_head,
    argMinIf(git_commit_id, (at, position), type = 'change.merged' AND git_commit_id != '') AS merge_commit,
    argMaxIf(head_branch, (at, position), head_branch.name != '') AS last_head_branch,
    argMaxIf(base, (at, position), base.branch != '') AS last_base,
    countIf(type = 'change.merged') > 0 AS is_merged,
    minIf(at, type = 'change.merged') AS merged_at,
    argMinIf(claimed_user, (at, position), type = 'change.merged' AND claimed_user != '') AS merged_by,
    argMaxIf(type, (at, position), type IN ('change.proposed', 'change.merged', 'change.closed')) AS last_lifecycle_type,
    maxIf(at, type IN ('change.merged', 'change.closed')) AS ended_at,
    arraySort(groupArrayIf(CAST((at, position, reviewer, review_id, toString(decision), git_commit_id, id), 'Tuple(at DateTime64(9, \'UTC\'), position Tuple(log LowCardinality(String), leaf_index UInt64), reviewer String, review_id String, decision String, commit_id String, record_id String)'), type = 'change.reviewed' AND decision IN ('approved', 'changes_requested', 'dismissed'))) AS reviews,
    maxIf(received_at, type = 'change.merged') AS merge_received_at,
    arrayMap(entry -> entry.id, arraySort(groupArrayIf(CAST((position, id), 'Tuple(position Tuple(log LowCardinality(String), leaf_index UInt64), id String)'), type IN ('change.proposed', 'change.merged', 'change.closed')))) AS lifecycle_record_ids,
    arrayMap(entry -> entry.id, arraySort(groupArrayIf(CAST((position, id), 'Tuple(position Tuple(log LowCardinality(String), leaf_index UInt64), id String)'), type = 'change.merged'))) AS merge_record_ids
FROM
(
SELECT
    if(change_id = '', id, change_id) AS change,
    toString(repository) AS change_repository,
    toString(type) AS type, id, git_commit_id, claimed_user, target_user, decision, received_at, coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')) AS at, (log, leaf_index) AS position,
    JSONExtract(content, 'Tuple(pull_request Tuple(head Tuple(sha String, ref String, repo Tuple(full_name String)), base Tuple(ref String)), review Tuple(id String, user Tuple(login String)), repository Tuple(default_branch String), object_attributes Tuple(last_commit Tuple(id String), source Tuple(path_with_namespace String), source_branch String, target_branch String, system_action String), project Tuple(default_branch String))') AS payload,
    concat(payload.pull_request.head.sha, payload.object_attributes.last_commit.id) AS payload_head,
    if(payload_head = '' AND type != 'change.merged', git_commit_id, payload_head) AS head,
    CAST((concat(payload.pull_request.head.repo.full_name, payload.object_attributes.source.path_with_namespace), concat(payload.pull_request.head.ref, payload.object_attributes.source_branch)), 'Tuple(repository String, name String)') AS head_branch,
    concat(payload.pull_request.base.ref, payload.object_attributes.target_branch) AS base_branch,
    CAST((base_branch, base_branch = concat(payload.repository.default_branch, payload.project.default_branch)), 'Tuple(branch String, is_default Bool)') AS base,
    multiIf(
        payload.object_attributes.system_action = 'approvals_reset_on_push', '*',
        payload.review.user.login != '', payload.review.user.login,
        claimed_user) AS reviewer,
    payload.review.id AS review_id
FROM records
WHERE source = 'forge' AND type IN ('change.proposed', 'change.updated', 'change.reviewed', 'change.merged', 'change.closed')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
)
GROUP BY change
)
)
WHERE is_merged AND empty(arrayFilter(
        review -> author != '' AND review.reviewer != '' AND NOT endsWith(review.reviewer, '[bot]') AND NOT has([lower(author)], lower(review.reviewer)),
        standing_approvals))
  AND merge_received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND merge_received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
ORDER BY merged_at, change
LIMIT {limit: UInt32}
