import type { ChangeState } from '../../schemas/change.ts';
import {
  changesInState,
  countChanges,
  listChanges,
  mergesWithoutApproval,
} from '../../store/records/queries/changes.ts';
import type { Covered } from '../../store/records/queries/records.ts';
import type { Query } from '../../store/records/record-store.ts';
import type { ExceptionRule, FigureRow, Population, Scope } from '../controls/control.ts';

/** Commits of agents, each with its session, its pull or merge request and its approvers. */
export const agentChangePopulation: Population = {
  id: 'agent-changes',
  title: 'Commits made by agents, and who approved them',
  definition:
    'Every commit id that a record of an agent first named in the period, with the session and call it came from, where the forge saw it pushed, the pull or merge request that holds it, who approved that and who merged it, as far as records under the checkpoint show (docs/formats/change.md states the rules).',
  columns: [
    'git_commit_id',
    'state',
    'session_ids',
    'tool_use_ids',
    'claimed_users',
    'occurred_at',
    'pushed_to',
    'pushers',
    'on_default_branch',
    'change_ids',
    'change_id',
    'joined_by',
    'author',
    'approvers',
    'late_approvers',
    'withdrawn_approvers',
    'approved_head',
    'checks',
    'merged_at',
    'merged_by',
    'head_commit_id',
    'merge_commit_id',
    'record_ids',
  ],
  page: (scope, { after, limit }) => ({
    ...listChanges({
      ...bounds(scope),
      ...(after === undefined ? {} : { after: { git_commit_id: String(after['git_commit_id']) } }),
      limit,
    }),
    name: 'population.agent-changes',
  }),
};

export const agentCommitUnapproved = stateRule(
  'agent-commit-merged-without-independent-approval',
  'A commit of an agent was merged in the period, and no approval in force at the merge came from a person other than its author, its committer, its pusher or the person of the session.',
  'merged_without_independent_approval',
);

export const approvalBeforeLastPush = stateRule(
  'approval-before-last-push',
  'A commit of an agent was merged in the period, and every approval is of an older commit: nobody reviewed the commits that were pushed after the last approval.',
  'approved_before_last_push',
);

export const agentCommitPushedPast = stateRule(
  'agent-commit-pushed-to-default-branch',
  'A commit of an agent was pushed to the default branch, and the forge reported no pull or merge request for it.',
  'pushed_to_default_branch',
);

export const mergedWithoutApproval: ExceptionRule = {
  id: 'merge-without-independent-approval',
  description:
    'A change was merged, and no approval in force at the merge (given before it, not dismissed, not followed by a request for changes from the same person) came from a person other than its author.',
  rows: (scope, limit) =>
    exceptions('merge-without-independent-approval', mergesWithoutApproval(bounds(scope)), limit),
};

/** The number of commits of agents in each state. */
export function changesByState(scope: Scope): Query<FigureRow> {
  const counts = countChanges(bounds(scope));
  return {
    name: 'figure.changes-by-state',
    sql: `SELECT concat('agent commits ', state) AS name, toString(commit_count) AS value
FROM
(
${counts.sql}
)
ORDER BY name`,
    params: counts.params,
  };
}

function stateRule(id: string, description: string, state: ChangeState): ExceptionRule {
  return {
    id,
    description,
    rows: (scope, limit) => exceptions(id, changesInState({ ...bounds(scope), state }), limit),
  };
}

function exceptions(
  id: string,
  { sql, params }: ReturnType<typeof mergesWithoutApproval>,
  limit: number,
): ReturnType<ExceptionRule['rows']> {
  return { name: `exception.${id}`, sql: `${sql}\nLIMIT {limit: UInt32}`, params: { ...params, limit } };
}

function bounds({ period, log, tree_size }: Scope): Covered & { from: string; to: string } {
  return { from: period.from, to: period.to, log, below: tree_size };
}
