-- figure.changes-by-state
-- {"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z","log":"p0","below":1000}
SELECT concat('agent commits ', state) AS name, toString(commit_count) AS value
FROM
(
SELECT state, count() AS commit_count
FROM
(
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
    git_commit_id, any(linked.session_ids) AS session_ids, any(linked.tool_use_ids) AS tool_use_ids, any(linked.claimed_users) AS claimed_users, any(linked.first_occurred_at) AS first_occurred_at, any(linked.first_received_at) AS first_received_at, any(linked.first_position) AS first_position, any(linked.agent_record_ids) AS agent_record_ids,
    toBool(max(linked.on_default_branch)) AS on_default_branch,
    arraySort(groupUniqArrayArray(linked.pushed_to)) AS pushed_to,
    arraySort(groupUniqArrayArray(linked.pushers)) AS pushers,
    arraySort(groupUniqArrayIf(forge_commit_id, forge_commit_id != '')) AS forge_commit_ids,
    arraySort(groupUniqArrayIf(change, change != '')) AS change_ids,
    arraySort(arrayDistinct(arrayConcat(pushed_to, groupUniqArrayIf(repository, repository != '')))) AS repositories,
    argMin(rank, (rank, change)) AS best_rank,
    argMin((change, joined_by, author, head, merge_commit, if(is_merged, toNullable(merged_at), NULL), merged_by,
        arraySort(arrayDistinct(arrayMap(o -> o.3, independent))), arraySort(arrayDistinct(arrayMap(o -> o.3, independent_late))), arraySort(arrayDistinct(arrayMap(o -> o.3, superseded_approvals))), approved_head, merge_received_at), (rank, change)) AS decisive,
    arrayDistinct(arrayConcat(agent_record_ids, arraySort(groupUniqArrayArray(push_record_ids)), argMin(change_record_ids, (rank, change)))) AS record_ids
FROM
(
SELECT *,
    arrayConcat([lower(author)], commit_authors, branch_pushers, arrayMap(name -> lower(name), claimed_users)) AS involved,
    arrayFilter(o -> NOT is_merged OR o.1 <= merged_at, opinions) AS counted_opinions,
    arrayFilter(o -> o.5 = 'approved' AND NOT arrayExists(
        l -> (l.1, l.2) > (o.1, o.2) AND l.3 IN (o.3, '*') AND (l.4 = o.4 OR l.5 != 'dismissed'),
        counted_opinions), counted_opinions) AS standing_approvals,
    arrayFilter(o -> o.5 = 'approved' AND arrayExists(
        l -> (l.1, l.2) > (o.1, o.2) AND l.3 IN (o.3, '*') AND (l.4 = o.4 OR l.5 != 'dismissed'),
        counted_opinions), counted_opinions) AS superseded_approvals,
    arrayFilter(o -> is_merged AND o.5 = 'approved' AND o.1 > merged_at, opinions) AS late_approvals,
    arrayFilter(o -> author != '' AND o.3 != '' AND NOT endsWith(o.3, '[bot]') AND NOT has(involved, lower(o.3)), standing_approvals) AS independent,
    arrayFilter(o -> author != '' AND o.3 != '' AND NOT endsWith(o.3, '[bot]') AND NOT has(involved, lower(o.3)), late_approvals) AS independent_late,
    last_head AS head,
    multiIf(
        empty(independent), NULL,
        head != '' AND arrayExists(o -> o.6 = head, independent), true,
        head = '' OR arrayExists(o -> o.6 = '', independent), NULL,
        false) AS approved_head,
    multiIf(
        change = '', 99,
        is_merged, if(last_base.2, 0, 10) + multiIf(empty(independent), 1, approved_head = false, 2, 3),
        last_turn != 'change.closed', 21,
        22) AS rank,
    arrayConcat(turn_record_ids, arrayMap(o -> o.7, independent)) AS change_record_ids,
    joined_by = ['branch'] AND (NOT is_merged OR merged_at > first_merge) AND first_merge IS NOT NULL AS is_later_use_of_branch
FROM
(
SELECT *,
    arraySort(groupUniqArrayIf(way, change != '') OVER (PARTITION BY git_commit_id, change)) AS joined_by,
    minIf(toNullable(merged_at), is_merged) OVER (PARTITION BY git_commit_id, repository, last_base.1) AS first_merge
FROM
(
SELECT made.*, change_rows.* EXCEPT (key, keyed_commit, key_row, way), if(made.link.1 = 'push', 'push', change_rows.way) AS way
FROM
(
SELECT *, arrayJoin(arrayFilter(way -> way.2 != '', [
    ('head', substring(forge_or_own_id, 1, 7), forge_or_own_id),
    ('push', substring(first_branch.3, 1, 7), first_branch.3),
    ('branch', if(first_branch.2 = '', '', concat(first_branch.1, ' ', first_branch.2)), '')])) AS link
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
    arrayMap(place -> place.2, arraySort(groupArray(((log, leaf_index), id)))) AS agent_record_ids
FROM records WHERE git_commit_id != '' AND source != 'forge'
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
GROUP BY git_commit_id
HAVING first_received_at >= parseDateTime64BestEffort({from: String}, 3, 'UTC')
  AND first_received_at < parseDateTime64BestEffort({to: String}, 3, 'UTC')
) AS agent
LEFT JOIN
(
SELECT
    commit_id,
    argMinIf((repository, ref, head, at), (at, position), startsWith(ref, 'refs/heads/')) AS first_branch,
    arraySort(groupUniqArrayIf(repository, repository != '')) AS pushed_to,
    arraySort(groupUniqArrayIf(pusher, pusher != '')) AS pushers,
    groupUniqArrayIf(lower(pusher), pusher != '' AND ref != '' AND NOT is_default) AS branch_pushers,
    groupUniqArrayIf(lower(commit_author), commit_author != '') AS commit_authors,
    max(is_default) AS on_default_branch,
    arrayMap(place -> place.2, arraySort(groupUniqArray((position, id)))) AS push_record_ids
FROM
(
SELECT * EXCEPT told
FROM
(
SELECT
    arrayJoin(arrayDistinct(arrayConcat([git_commit_id], JSONExtract(content, 'commits', 'Array(String)')))) AS commit_id,
    toString(repository) AS repository, claimed_user AS pusher, coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')) AS at, (log, leaf_index) AS position, id,
    JSONExtract(content, 'Tuple(ref String, repository Tuple(default_branch String, fork String), project Tuple(default_branch String))') AS told,
    told.ref AS ref,
    git_commit_id AS head,
    '' AS commit_author,
    ref = concat('refs/heads/', concat(told.repository.default_branch, told.project.default_branch)) AND told.repository.fork != 'true' AS is_default
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
) AS made
LEFT JOIN
(
SELECT *, arrayJoin(arrayConcat(
    arrayMap(head -> ('head', substring(head, 1, 7), head), arrayDistinct(arrayFilter(head -> head != '', arrayConcat(heads_seen, [last_head])))),
    if(merge_commit = '', [], [('merge', substring(merge_commit, 1, 7), merge_commit)]),
    if(last_head_branch.2 = '', [], [('branch', concat(last_head_branch.1, ' refs/heads/', last_head_branch.2), '')]))) AS key_row,
    key_row.1 AS way, key_row.2 AS key, key_row.3 AS keyed_commit
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
) AS change_rows ON made.link.2 = change_rows.key
    AND startsWith(change_rows.keyed_commit, made.link.3)
    AND (change_rows.way != 'branch' OR change_rows.last_turn NOT IN ('change.merged', 'change.closed') OR made.first_branch.4 <= change_rows.ended_at)
)
)
) AS linked
WHERE NOT is_later_use_of_branch
GROUP BY git_commit_id
) AS decided
LEFT JOIN
(
SELECT commit_id, if(countIf(NOT verdict) > 0, 'failed', 'passed') AS verdict
FROM
(
SELECT commit_id, argMax(is_good, place) AS verdict
FROM
(
SELECT
    git_commit_id AS commit_id, assumeNotNull(success) AS is_good, (coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')), log, leaf_index) AS place,
    JSONExtract(content, 'Tuple(check_run Tuple(name String, app Tuple(slug String)), check_suite Tuple(app Tuple(slug String)), workflow_run Tuple(name String), context String)') AS told,
    (splitByChar('.', toString(source_event))[1], concat(told.check_run.app.slug, told.check_run.name, told.check_suite.app.slug, told.workflow_run.name, told.context)) AS check_name
FROM records
WHERE source = 'forge' AND type IN ('change.checked')
  AND log = {log: String}
  AND leaf_index < {below: UInt64}
  AND success IS NOT NULL AND git_commit_id != ''
)
GROUP BY commit_id, check_name
)
GROUP BY commit_id
) AS checked ON decided.decisive.4 = checked.commit_id
)
GROUP BY state
ORDER BY state
)
ORDER BY name
