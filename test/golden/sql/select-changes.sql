-- select_changes
-- {"git_commit_id":"abcdef1","session_id":"s1","from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","after_commit":"abcdef0","log":"p0","below":1000}
SELECT *, multiIf(
        length(forge_commit_ids) > 1, 'ambiguous',
        best_rank IN (1, 11) AND NOT (best_rank = 11 AND on_default_branch), 'merged_without_independent_approval',
        best_rank = 2, 'approved_before_last_push',
        best_rank = 3, 'approved',
        on_default_branch, 'pushed_to_default_branch',
        best_rank = 12, 'approved_before_last_push',
        best_rank = 13, 'approved',
        best_rank = 21, 'open',
        best_rank = 22, 'closed',
        notEmpty(pushed_to), 'not_proposed',
        'not_pushed') AS state, if(checked.verdict = '', 'none', checked.verdict) AS checks
FROM
(
SELECT
    git_commit_id, any(candidates.session_ids) AS session_ids, any(candidates.tool_use_ids) AS tool_use_ids, any(candidates.claimed_users) AS claimed_users, any(candidates.first_occurred_at) AS first_occurred_at, any(candidates.first_received_at) AS first_received_at, any(candidates.first_position) AS first_position, any(candidates.agent_record_ids) AS agent_record_ids,
    toBool(max(candidates.on_default_branch)) AS on_default_branch,
    arraySort(groupUniqArrayArray(candidates.pushed_to)) AS pushed_to,
    arraySort(groupUniqArrayArray(candidates.pushers)) AS pushers,
    arraySort(groupUniqArrayIf(forge_commit_id, forge_commit_id != '')) AS forge_commit_ids,
    arraySort(groupUniqArrayIf(change, change != '')) AS change_ids,
    arraySort(arrayDistinct(arrayConcat(pushed_to, groupUniqArrayIf(repository, repository != '')))) AS repositories,
    argMin(rank, (rank, change)) AS best_rank,
    argMin(CAST((change, joined_by, author, head, merge_commit, if(is_merged, toNullable(merged_at), NULL), merged_by, arraySort(arrayDistinct(arrayMap(review -> review.reviewer, independent))), arraySort(arrayDistinct(arrayMap(review -> review.reviewer, independent_late))), arraySort(arrayDistinct(arrayMap(review -> review.reviewer, superseded_approvals))), approved_head, merge_received_at), 'Tuple(change String, joined_by Array(String), author String, head String, merge_commit String, merged_at Nullable(DateTime64(9, \'UTC\')), merged_by String, approvers Array(String), late_approvers Array(String), withdrawn_approvers Array(String), approved_head Nullable(Bool), merge_received_at DateTime64(3, \'UTC\'))'), (rank, change)) AS decisive,
    arrayDistinct(arrayConcat(agent_record_ids, arraySort(groupUniqArrayArray(push_record_ids)), argMin(change_record_ids, (rank, change)))) AS record_ids
FROM
(
SELECT *,
    arrayConcat([lower(author)], commit_authors, branch_pushers, arrayMap(name -> lower(name), claimed_users)) AS involved,
    arrayFilter(review -> NOT is_merged OR review.at <= merged_at, reviews) AS counted_reviews,
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
    arrayFilter(review -> is_merged AND review.decision = 'approved' AND review.at > merged_at, reviews) AS late_approvals,
    arrayFilter(
        review -> author != '' AND review.reviewer != '' AND NOT endsWith(review.reviewer, '[bot]') AND NOT has(involved, lower(review.reviewer)),
        standing_approvals) AS independent,
    arrayFilter(
        review -> author != '' AND review.reviewer != '' AND NOT endsWith(review.reviewer, '[bot]') AND NOT has(involved, lower(review.reviewer)),
        late_approvals) AS independent_late,
    last_head AS head,
    multiIf(
        empty(independent), NULL,
        head != '' AND arrayExists(review -> review.commit_id = head, independent), true,
        head = '' OR arrayExists(review -> review.commit_id = '', independent), NULL,
        false) AS approved_head,
    multiIf(
        change = '', 99,
        is_merged, if(last_base.is_default, 0, 10) + multiIf(empty(independent), 1, approved_head = false, 2, 3),
        last_lifecycle_type != 'change.closed', 21,
        22) AS rank,
    arrayConcat(lifecycle_record_ids, arrayMap(review -> review.record_id, independent)) AS change_record_ids,
    joined_by = ['branch'] AND (NOT is_merged OR merged_at > first_merge) AND first_merge IS NOT NULL AS is_later_use_of_branch
FROM
(
SELECT *,
    arraySort(groupUniqArrayIf(matched_by, change != '') OVER (PARTITION BY git_commit_id, change)) AS joined_by,
    minIf(toNullable(merged_at), is_merged) OVER (PARTITION BY git_commit_id, repository, last_base.branch) AS first_merge
FROM
(
SELECT commit_rows.*, change_rows.* EXCEPT (change_key), if(commit_rows.commit_key.kind = 'push', 'push', change_rows.change_key.kind) AS matched_by
FROM
(
SELECT *, arrayJoin(arrayFilter(candidate -> candidate.key != '', CAST([
    ('head', substring(forge_or_own_id, 1, 7), forge_or_own_id),
    ('push', substring(first_branch.head, 1, 7), first_branch.head),
    ('branch', if(first_branch.ref = '', '', concat(first_branch.repository, ' ', first_branch.ref)), '')], 'Array(Tuple(kind String, key String, commit_id String))'))) AS commit_key
FROM
(
SELECT *, pushed.commit_id AS forge_commit_id, if(forge_commit_id = '', git_commit_id, forge_commit_id) AS forge_or_own_id
FROM
(
SELECT
    git_commit_id,
    arraySort(groupUniqArrayIf(session_id, session_id != '')) AS session_ids,
    arraySort(groupUniqArrayIf(tool_use_id, tool_use_id != '')) AS tool_use_ids,
    arraySort(groupUniqArrayIf(claimed_user, claimed_user != '')) AS claimed_users,
    min(occurred_at) AS first_occurred_at,
    min(received_at) AS first_received_at,
    min((log, leaf_index)) AS first_position,
    arrayMap(entry -> entry.id, arraySort(groupArray(CAST(((log, leaf_index), id), 'Tuple(position Tuple(log LowCardinality(String), leaf_index UInt64), id String)')))) AS agent_record_ids
FROM records WHERE git_commit_id != '' AND source != 'forge'
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND git_commit_id = {git_commit_id: String}
  AND git_commit_id IN (SELECT git_commit_id FROM records WHERE session_id = {session_id: String} AND git_commit_id != '')
GROUP BY git_commit_id
HAVING first_received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND first_received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
  AND first_position > (SELECT min((log, leaf_index)) FROM records WHERE git_commit_id = {after_commit: String} AND source != 'forge'
  AND log = {log: String}
  AND leaf_index < {below: UInt64})
) AS agent
LEFT JOIN
(
SELECT
    commit_id,
    argMinIf(CAST((repository, ref, head, at), 'Tuple(repository String, ref String, head String, pushed_at DateTime64(9, \'UTC\'))'), (at, position), startsWith(ref, 'refs/heads/')) AS first_branch,
    arraySort(groupUniqArrayIf(repository, repository != '')) AS pushed_to,
    arraySort(groupUniqArrayIf(pusher, pusher != '')) AS pushers,
    groupUniqArrayIf(lower(pusher), pusher != '' AND ref != '' AND NOT is_default) AS branch_pushers,
    groupUniqArrayIf(lower(commit_author), commit_author != '') AS commit_authors,
    max(is_default) AS on_default_branch,
    arrayMap(entry -> entry.id, arraySort(groupArray(CAST((position, id), 'Tuple(position Tuple(log LowCardinality(String), leaf_index UInt64), id String)')))) AS push_record_ids
FROM
(
SELECT * EXCEPT payload
FROM
(
SELECT
    arrayJoin(arrayDistinct(arrayConcat([git_commit_id], JSONExtract(content, 'commits', 'Array(String)')))) AS commit_id,
    toString(repository) AS repository, claimed_user AS pusher, coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')) AS at, (log, leaf_index) AS position, id,
    JSONExtract(content, 'Tuple(ref String, repository Tuple(default_branch String, fork String), project Tuple(default_branch String))') AS payload,
    payload.ref AS ref,
    git_commit_id AS head,
    '' AS commit_author,
    ref = concat('refs/heads/', concat(payload.repository.default_branch, payload.project.default_branch)) AND payload.repository.fork != 'true' AS is_default
FROM records
WHERE source = 'forge' AND type IN ('change.pushed')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND source_event IN ('push', 'tag_push')
)
UNION ALL
SELECT
    git_commit_id AS commit_id,
    toString(repository) AS repository, claimed_user AS pusher, coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')) AS at, (log, leaf_index) AS position, id,
    '' AS ref,
    '' AS head,
    if(target_user != '', target_user, JSONExtractString(content, 'author', 'username')) AS commit_author,
    false AS is_default
FROM records
WHERE source = 'forge' AND type IN ('change.pushed')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND source_event IN ('push.commit', 'tag_push.commit')
)
WHERE commit_id != ''
GROUP BY commit_id
) AS pushed ON substring(agent.git_commit_id, 1, 7) = substring(pushed.commit_id, 1, 7) AND startsWith(pushed.commit_id, agent.git_commit_id)
)
) AS commit_rows
LEFT JOIN
(
SELECT *, arrayJoin(CAST(arrayConcat(
    arrayMap(head -> ('head', substring(head, 1, 7), head), arrayDistinct(arrayFilter(head -> head != '', arrayConcat(heads_seen, [last_head])))),
    if(merge_commit = '', [], [('merge', substring(merge_commit, 1, 7), merge_commit)]),
    if(last_head_branch.name = '', [], [('branch', concat(last_head_branch.repository, ' refs/heads/', last_head_branch.name), '')])), 'Array(Tuple(kind String, key String, commit_id String))')) AS change_key
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
) AS change_rows ON commit_rows.commit_key.key = change_rows.change_key.key
    AND startsWith(change_rows.change_key.commit_id, commit_rows.commit_key.commit_id)
    AND (change_rows.change_key.kind != 'branch' OR change_rows.last_lifecycle_type NOT IN ('change.merged', 'change.closed') OR commit_rows.first_branch.pushed_at <= change_rows.ended_at)
)
)
) AS candidates
WHERE NOT is_later_use_of_branch
GROUP BY git_commit_id
) AS decided
LEFT JOIN
(
SELECT commit_id, if(countIf(NOT is_last_good) > 0, 'failed', 'passed') AS verdict
FROM
(
SELECT commit_id, argMax(is_good, (at, position)) AS is_last_good
FROM
(
SELECT
    git_commit_id AS commit_id, assumeNotNull(success) AS is_good, coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')) AS at, (log, leaf_index) AS position,
    JSONExtract(content, 'Tuple(check_run Tuple(name String, app Tuple(slug String)), check_suite Tuple(app Tuple(slug String)), workflow_run Tuple(name String), context String)') AS payload,
    (splitByChar('.', toString(source_event))[1], concat(payload.check_run.app.slug, payload.check_run.name, payload.check_suite.app.slug, payload.workflow_run.name, payload.context)) AS check_name
FROM records
WHERE source = 'forge' AND type IN ('change.checked')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND success IS NOT NULL AND git_commit_id != ''
)
GROUP BY commit_id, check_name
)
GROUP BY commit_id
) AS checked ON decided.decisive.head = checked.commit_id
