/** Commits that agents made, each with the changes that may hold it. */
import { independentOf, JUDGED_REVIEWS } from './changes-approval.ts';
import { joinKey, proposedChanges, pushedCommits } from './changes-forge.ts';
import { equals, given, having, paramsOf, tidy, where, type Condition } from './conditions.ts';
import { within, type Interval } from './instants.ts';
import { idsInLogOrder } from './record-ids.ts';
import type { Covered } from './records.ts';
import { withNamesInArray } from './tuples.ts';

export interface CommitFilters extends Covered, Interval {
  readonly session_id?: string | undefined;
  readonly git_commit_id?: string | undefined;
}

/** The last row of a page. A commit is placed by the first record of an agent that names it, which never changes. */
export interface ChangePosition {
  readonly git_commit_id: string;
}

/** Columns of `agentCommits` beside the commit id. */
export const COMMIT_COLUMNS = [
  'session_ids',
  'tool_use_ids',
  'claimed_users',
  'first_occurred_at',
  'first_received_at',
  'first_position',
  'agent_record_ids',
] as const;

/** Commits that records of agents name. Forges are left out because they name the commits of everybody. */
export function agentCommits(
  params: CommitFilters & { readonly after?: ChangePosition | undefined },
  scope: readonly Condition[],
): Condition {
  const made = { sql: `git_commit_id != '' AND source != 'forge'`, params: {} };
  const chosen = equals('git_commit_id', params.git_commit_id);
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
    ${idsInLogOrder({ position: '(log, leaf_index)' })} AS agent_record_ids
${from([made, ...scope, ...chosen, ...ofSession])}
GROUP BY git_commit_id
${having([...period, ...position])}`),
    params: paramsOf(chosen, ofSession, period, position),
  };
}

function from(conditions: readonly Condition[]): string {
  return `FROM records ${where(conditions)}`;
}

/**
 * One row per commit and change that may hold it, with its rank; a commit without any has one row, of the change ''.
 * The smallest rank decides: merges into the default branch rank before all others, and among equals the worst.
 */
export function judgedCandidates(commits: Condition, scope: readonly Condition[]): string {
  return `SELECT *,
    arrayConcat([lower(author)], commit_authors, branch_pushers, arrayMap(name -> lower(name), claimed_users)) AS involved,
    ${JUDGED_REVIEWS},
    ${independentOf('standing_approvals', 'involved')} AS independent,
    ${independentOf('late_approvals', 'involved')} AS independent_late,
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
${matches(commits, scope)}
)
)`;
}

const KEY_TYPES = { kind: 'String', key: 'String', commit_id: 'String' };

/**
 * A change holds a commit if the commit was the change's head (`head`) or is its merge (`merge`), if the push that first
 * brought the commit ended in such a head or merge (`push`), or if the commit was first pushed to the change's branch
 * before the change ended (`branch`). Both sides get one row per key, and equal keys match.
 */
function matches(commits: Condition, scope: readonly Condition[]): string {
  return `SELECT commit_rows.*, change_rows.* EXCEPT (change_key), if(commit_rows.commit_key.kind = 'push', 'push', change_rows.change_key.kind) AS matched_by
FROM
(
SELECT *, arrayJoin(arrayFilter(candidate -> candidate.key != '', ${COMMIT_KEYS})) AS commit_key
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
) AS commit_rows
LEFT JOIN
(
SELECT *, arrayJoin(${CHANGE_KEYS}) AS change_key
FROM
(
${proposedChanges(scope)}
)
) AS change_rows ON commit_rows.commit_key.key = change_rows.change_key.key
    AND startsWith(change_rows.change_key.commit_id, commit_rows.commit_key.commit_id)
    AND (change_rows.change_key.kind != 'branch' OR change_rows.last_lifecycle_type NOT IN ('change.merged', 'change.closed') OR commit_rows.first_branch.pushed_at <= change_rows.ended_at)`;
}

const COMMIT_KEYS = withNamesInArray(
  `[
    ('head', ${joinKey('forge_or_own_id')}, forge_or_own_id),
    ('push', ${joinKey('first_branch.head')}, first_branch.head),
    ('branch', if(first_branch.ref = '', '', concat(first_branch.repository, ' ', first_branch.ref)), '')]`,
  KEY_TYPES,
);

const CHANGE_KEYS = withNamesInArray(
  `arrayConcat(
    arrayMap(head -> ('head', ${joinKey('head')}, head), arrayDistinct(arrayFilter(head -> head != '', arrayConcat(heads_seen, [last_head])))),
    if(merge_commit = '', [], [('merge', ${joinKey('merge_commit')}, merge_commit)]),
    if(last_head_branch.name = '', [], [('branch', concat(last_head_branch.repository, ' refs/heads/', last_head_branch.name), '')]))`,
  KEY_TYPES,
);
