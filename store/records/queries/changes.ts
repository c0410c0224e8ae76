import type { Change, ChangeState } from '../../../schemas/change.ts';
import type { Query } from '../record-store.ts';
import { independentOf, JUDGED_REVIEWS, reviewersOf } from './changes-approval.ts';
import {
  agentCommits,
  COMMIT_COLUMNS,
  judgedCandidates,
  type ChangePosition,
  type CommitFilters,
} from './changes-candidates.ts';
import { checkedCommits, proposedChanges } from './changes-forge.ts';
import { equals, given, paramsOf, tidy, where, type Condition } from './conditions.ts';
import { instantText, MILLISECONDS, NANOSECONDS, within } from './instants.ts';
import { coveredBy, type Covered } from './records.ts';
import { named } from './tuples.ts';

export interface ChangeFilters extends CommitFilters {
  readonly repository?: string | undefined;
  readonly state?: ChangeState | undefined;
}

/**
 * Commits that agents made, with the pull requests that hold them, by the place of their first record, from behind
 * `after`. A commit belongs to the period in which an agent's record first named it, and is judged by all records of
 * the forge. docs/formats/change.md states the rules in words.
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
    nullIf(decisive.change, '') AS change_id,
    decisive.joined_by AS joined_by,
    nullIf(decisive.author, '') AS author,
    nullIf(decisive.head, '') AS head_commit_id,
    nullIf(decisive.merge_commit, '') AS merge_commit_id,
    ${instantText('decisive.merged_at')} AS merged_at,
    nullIf(decisive.merged_by, '') AS merged_by,
    decisive.approvers AS approvers,
    decisive.late_approvers AS late_approvers,
    decisive.withdrawn_approvers AS withdrawn_approvers,
    decisive.approved_head AS approved_head,
    checks,
    state,
    record_ids`;

/** One row per commit with its state. Other queries build on it. */
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
    git_commit_id, ${COMMIT_COLUMNS.map((column) => `any(candidates.${column}) AS ${column}`).join(', ')},
    toBool(max(candidates.on_default_branch)) AS on_default_branch,
    arraySort(groupUniqArrayArray(candidates.pushed_to)) AS pushed_to,
    arraySort(groupUniqArrayArray(candidates.pushers)) AS pushers,
    arraySort(groupUniqArrayIf(forge_commit_id, forge_commit_id != '')) AS forge_commit_ids,
    arraySort(groupUniqArrayIf(change, change != '')) AS change_ids,
    arraySort(arrayDistinct(arrayConcat(pushed_to, groupUniqArrayIf(repository, repository != '')))) AS repositories,
    argMin(rank, (rank, change)) AS best_rank,
    argMin(${DECISIVE}, (rank, change)) AS decisive,
    arrayDistinct(arrayConcat(agent_record_ids, arraySort(groupUniqArrayArray(push_record_ids)), argMin(change_record_ids, (rank, change)))) AS record_ids
FROM
(
${judgedCandidates(commits, scope)}
) AS candidates
WHERE NOT is_later_use_of_branch
GROUP BY git_commit_id
) AS decided
LEFT JOIN
(
${checkedCommits(scope)}
) AS checked ON decided.decisive.head = checked.commit_id`,
    params: { ...commits.params, ...paramsOf(scope) },
  };
}

/** The first match wins. Ranks are those of `judgedCandidates`. */
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

/** Members of a row that describe the one change which decides on its state. */
const DECISIVE = named({
  change: ['change', 'String'],
  joined_by: ['joined_by', 'Array(String)'],
  author: ['author', 'String'],
  head: ['head', 'String'],
  merge_commit: ['merge_commit', 'String'],
  merged_at: ['if(is_merged, toNullable(merged_at), NULL)', `Nullable(${NANOSECONDS})`],
  merged_by: ['merged_by', 'String'],
  approvers: [reviewersOf('independent'), 'Array(String)'],
  late_approvers: [reviewersOf('independent_late'), 'Array(String)'],
  withdrawn_approvers: [reviewersOf('superseded_approvals'), 'Array(String)'],
  approved_head: ['approved_head', 'Nullable(Bool)'],
  merge_received_at: ['merge_received_at', MILLISECONDS],
});

/**
 * Commits of agents in one of these states, as exceptions. A merged commit belongs to the period in which the merge was
 * received, any other to the period in which the commit was first reported.
 */
export function changesInState(
  params: Covered & { readonly state: ChangeState; readonly from: string; readonly to: string },
): Condition {
  const { from, to, state, log, below } = params;
  const changes = selectChanges({ log, below });
  const seenAt = `if(decisive.merge_received_at > toDateTime64(0, 3, 'UTC'), decisive.merge_received_at, first_received_at)`;
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

/** The number of commits of each state. A commit belongs to the same period as in lists. */
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

/** Changes whose merge was received in [from, to) without a standing approval by a person other than the author. */
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
SELECT *, ${JUDGED_REVIEWS}
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
