import type { Change, ChangeState } from '../../../schemas/change.ts';
import type { Query } from '../record-store.ts';
import { independentOf, JUDGED_OPINIONS, reviewersOf } from './changes-approval.ts';
import { checkedCommits, joinKey, proposedChanges, pushedCommits } from './changes-forge.ts';
import { equals, given, having, paramsOf, tidy, where, type Condition } from './conditions.ts';
import { instantText, within, type Interval } from './instants.ts';
import { coveredBy, type Covered } from './records.ts';

export interface ChangeFilters extends Covered, Interval {
  readonly session_id?: string | undefined;
  readonly git_commit_id?: string | undefined;
  readonly repository?: string | undefined;
  readonly state?: ChangeState | undefined;
}

/** The last row of a page; a commit's place is that of its first record of an agent, which never changes. */
export interface ChangePosition {
  readonly git_commit_id: string;
}

/**
 * Commits that agents made, with their way to an approver, by the place of their first record, from behind `after`. A
 * commit belongs to the period in which an agent's record first named it, and is judged by all that the forge told.
 */
export function listChanges(
  params: ChangeFilters & { readonly after?: ChangePosition | undefined; readonly limit: number },
): Query<Change> {
  const changes = selectChanges(params);
  const chosen = [
    ...equals('state', params.state),
    ...given(params.repository, (repository) => ({
      sql: 'has(repositories, {repository: String})',
      params: { repository },
    })),
  ];
  return {
    name: 'list_changes',
    sql: tidy(`
SELECT ${CHANGE_MEMBERS}
FROM
(
${changes.sql}
)
${where(chosen)}
ORDER BY first_position
LIMIT {limit: UInt32}`),
    params: { ...changes.params, ...paramsOf(chosen), limit: params.limit },
  };
}

const CHANGE_MEMBERS = `git_commit_id,
    nullIf(if(length(forge_commit_ids) = 1, forge_commit_ids[1], ''), '') AS forge_commit_id,
    session_ids, tool_use_ids, claimed_users,
    ${instantText('first_occurred_at')} AS occurred_at,
    pushed_to, pushers, on_default_branch, change_ids,
    nullIf(decisive.1, '') AS change_id,
    decisive.2 AS joined_by,
    nullIf(decisive.3, '') AS author,
    nullIf(decisive.4, '') AS head_commit_id,
    nullIf(decisive.5, '') AS merge_commit_id,
    ${instantText('decisive.6')} AS merged_at,
    nullIf(decisive.7, '') AS merged_by,
    decisive.8 AS approvers,
    decisive.9 AS late_approvers,
    decisive.10 AS withdrawn_approvers,
    decisive.11 AS approved_head,
    checks,
    state,
    record_ids`;

/** One row per commit with its state. Other questions build on it. */
export function selectChanges(
  params: ChangeFilters & { readonly after?: ChangePosition | undefined },
): Condition {
  const scope = coveredBy(params);
  const commits = agentCommits(params, scope);
  return {
    sql: `SELECT *, ${STATE} AS state, if(checked.verdict = '', 'none', checked.verdict) AS checks
FROM
(
SELECT
    git_commit_id, ${COMMIT_COLUMNS.map((column) => `any(linked.${column}) AS ${column}`).join(', ')},
    toBool(max(linked.on_default_branch)) AS on_default_branch,
    arraySort(groupUniqArrayArray(linked.pushed_to)) AS pushed_to,
    arraySort(groupUniqArrayArray(linked.pushers)) AS pushers,
    arraySort(groupUniqArrayIf(forge_commit_id, forge_commit_id != '')) AS forge_commit_ids,
    arraySort(groupUniqArrayIf(change, change != '')) AS change_ids,
    arraySort(arrayDistinct(arrayConcat(pushed_to, groupUniqArrayIf(repository, repository != '')))) AS repositories,
    argMin(rank, (rank, change)) AS best_rank,
    argMin(${DECISIVE}, (rank, change)) AS decisive,
    arrayDistinct(arrayConcat(agent_record_ids, arraySort(groupUniqArrayArray(push_record_ids)), argMin(change_record_ids, (rank, change)))) AS record_ids
FROM
(
${judgedLinks(commits, scope)}
) AS linked
WHERE NOT is_later_use_of_branch
GROUP BY git_commit_id
) AS decided
LEFT JOIN
(
${checkedCommits(scope)}
) AS checked ON decided.decisive.4 = checked.commit_id`,
    params: { ...commits.params, ...paramsOf(scope) },
  };
}

const COMMIT_COLUMNS = [
  'session_ids',
  'tool_use_ids',
  'claimed_users',
  'first_occurred_at',
  'first_received_at',
  'first_position',
  'agent_record_ids',
] as const;

/** First match wins; merges into the default branch rank before all others, and what is missing before what is there. */
const STATE = `multiIf(
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
        'not_pushed')`;

/**
 * Commits of agents in one of these states, as exceptions: those of a merge by when the merge was received, all others
 * by when the commit was first reported.
 */
export function changesInState(
  params: Covered & { readonly state: ChangeState; readonly from: string; readonly to: string },
): Condition {
  const { from, to, state, log, below } = params;
  const changes = selectChanges({ log, below });
  const seenAt = `if(decisive.12 > toDateTime64(0, 3, 'UTC'), decisive.12, first_received_at)`;
  const chosen = [...equals('state', state), ...within(seenAt, { from, to }, { prefix: '', digits: 3 })];
  return {
    sql: tidy(`
SELECT
    if(length(session_ids) = 1, session_ids[1], '') AS session_id,
    if(length(tool_use_ids) = 1, tool_use_ids[1], '') AS tool_use_id,
    record_ids
FROM
(
${changes.sql}
)
${where(chosen)}
ORDER BY first_position`),
    params: { ...changes.params, ...paramsOf(chosen) },
  };
}

/** How many commits there are of each state, with the same meaning of the period as lists have. */
export function countChanges(
  params: ChangeFilters,
): Query<{ readonly state: ChangeState; readonly commit_count: number }> {
  const changes = selectChanges(params);
  return {
    name: 'count_changes',
    sql: tidy(`
SELECT state, count() AS commit_count
FROM
(
${changes.sql}
)
GROUP BY state
ORDER BY state`),
    params: changes.params,
  };
}

/** Changes whose merge was received in [from, to) without a standing approval by anybody but the author. */
export function mergesWithoutApproval(
  params: Covered & { readonly from: string; readonly to: string },
): Condition {
  const { from, to } = params;
  const scope = coveredBy(params);
  const received = within('merge_received_at', { from, to }, { prefix: '', digits: 3 });
  return {
    sql: tidy(`
SELECT '' AS session_id, '' AS tool_use_id, merge_record_ids AS record_ids
FROM
(
SELECT *, ${JUDGED_OPINIONS}
FROM
(
${proposedChanges(scope)}
)
)
${where([{ sql: `is_merged AND empty(${independentOf('standing_approvals', '[lower(author)]')})`, params: {} }, ...received])}
ORDER BY merged_at, change`),
    params: paramsOf(scope, received),
  };
}

/** What a row tells of the one change that decides on its state. */
const DECISIVE = `(change, joined_by, author, head, merge_commit, if(is_merged, toNullable(merged_at), NULL), merged_by,
        ${reviewersOf('independent')}, ${reviewersOf('independent_late')}, ${reviewersOf('superseded_approvals')}, approved_head, merge_received_at)`;

/** Commits that records of agents name: all sources but forges, which name the commits of everybody. */
function agentCommits(
  params: ChangeFilters & { readonly after?: ChangePosition | undefined },
  scope: readonly Condition[],
): Condition {
  const made = { sql: `git_commit_id != '' AND source != 'forge'`, params: {} };
  const named = equals('git_commit_id', params.git_commit_id);
  const ofSession = given<string>(params.session_id, (session_id) => ({
    sql: `git_commit_id IN (SELECT git_commit_id FROM records WHERE session_id = {session_id: String} AND git_commit_id != '')`,
    params: { session_id },
  }));
  const period = within('first_received_at', params, { prefix: '', digits: 3 });
  const position = given<string>(params.after?.git_commit_id, (after) => ({
    sql: `first_position > (SELECT min((log, leaf_index)) ${from([{ sql: `git_commit_id = {after_commit: String} AND source != 'forge'`, params: {} }, ...scope])})`,
    params: { after_commit: after },
  }));
  return {
    sql: tidy(`
SELECT
    git_commit_id,
    arraySort(groupUniqArrayIf(session_id, session_id != '')) AS session_ids,
    arraySort(groupUniqArrayIf(tool_use_id, tool_use_id != '')) AS tool_use_ids,
    arraySort(groupUniqArrayIf(claimed_user, claimed_user != '')) AS claimed_users,
    min(occurred_at) AS first_occurred_at,
    min(received_at) AS first_received_at,
    min((log, leaf_index)) AS first_position,
    arrayMap(place -> place.2, arraySort(groupArray(((log, leaf_index), id)))) AS agent_record_ids
${from([made, ...scope, ...named, ...ofSession])}
GROUP BY git_commit_id
${having([...period, ...position])}`),
    params: paramsOf(named, ofSession, period, position),
  };
}

function from(conditions: readonly Condition[]): string {
  return `FROM records ${where(conditions)}`;
}

/** One row per commit and change that may hold it, judged; a commit without any has one row, of the change ''. */
function judgedLinks(commits: Condition, scope: readonly Condition[]): string {
  return `SELECT *,
    arrayConcat([lower(author)], commit_authors, branch_pushers, arrayMap(name -> lower(name), claimed_users)) AS involved,
    ${JUDGED_OPINIONS},
    ${independentOf('standing_approvals', 'involved')} AS independent,
    ${independentOf('late_approvals', 'involved')} AS independent_late,
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
${links(commits, scope)}
)
)`;
}

/**
 * Four ways to tell that a change holds a commit: it was the change's head or is its merge, a push brought it together
 * with a head or merge, or it was first pushed to the change's branch before the change ended.
 */
function links(commits: Condition, scope: readonly Condition[]): string {
  return `SELECT made.*, change_rows.* EXCEPT (key, keyed_commit, key_row, way), if(made.link.1 = 'push', 'push', change_rows.way) AS way
FROM
(
SELECT *, arrayJoin(arrayFilter(way -> way.2 != '', [
    ('head', ${joinKey('forge_or_own_id')}, forge_or_own_id),
    ('push', ${joinKey('first_branch.3')}, first_branch.3),
    ('branch', if(first_branch.2 = '', '', concat(first_branch.1, ' ', first_branch.2)), '')])) AS link
FROM
(
SELECT *, pushed.commit_id AS forge_commit_id, if(forge_commit_id = '', git_commit_id, forge_commit_id) AS forge_or_own_id
FROM
(
${commits.sql}
) AS agent
LEFT JOIN
(
${pushedCommits(scope)}
) AS pushed ON ${joinKey('agent.git_commit_id')} = ${joinKey('pushed.commit_id')} AND startsWith(pushed.commit_id, agent.git_commit_id)
)
) AS made
LEFT JOIN
(
SELECT *, arrayJoin(arrayConcat(
    arrayMap(head -> ('head', ${joinKey('head')}, head), arrayDistinct(arrayFilter(head -> head != '', arrayConcat(heads_seen, [last_head])))),
    if(merge_commit = '', [], [('merge', ${joinKey('merge_commit')}, merge_commit)]),
    if(last_head_branch.2 = '', [], [('branch', concat(last_head_branch.1, ' refs/heads/', last_head_branch.2), '')]))) AS key_row,
    key_row.1 AS way, key_row.2 AS key, key_row.3 AS keyed_commit
FROM
(
${proposedChanges(scope)}
)
) AS change_rows ON made.link.2 = change_rows.key
    AND startsWith(change_rows.keyed_commit, made.link.3)
    AND (change_rows.way != 'branch' OR change_rows.last_turn NOT IN ('change.merged', 'change.closed') OR made.first_branch.4 <= change_rows.ended_at)`;
}
