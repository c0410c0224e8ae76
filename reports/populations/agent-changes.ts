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

/** Commits that agents made, each with its way from the session to an independent approver. */
export const agentChangePopulation: Population = {
  id: 'agent-changes',
  title: 'Commits made by agents, and who approved them',
  definition:
    'Every commit id that a record of an agent first named in the period, with the session and call it came from, where the forge saw it pushed, the pull or merge request that holds it, who approved that and who merged it, as far as records under the checkpoint tell (docs/formats/change.md states the rules).',
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
  'A commit that an agent made was merged in the period, and no approval that stood at the merge was by anybody else than its author, its committer, whoever pushed it, or the person of the session.',
  'merged_without_independent_approval',
);

export const approvalBeforeLastPush = stateRule(
  'approval-before-last-push',
  'A commit that an agent made was merged in the period with approvals of older commits alone: what was pushed after the last of them was reviewed by nobody.',
  'approved_before_last_push',
);

export const agentCommitPushedPast = stateRule(
  'agent-commit-pushed-to-default-branch',
  'A commit that an agent made was pushed to the default branch, and the forge told of no pull or merge request through which it came there.',
  'pushed_to_default_branch',
);

export const mergedWithoutApproval: ExceptionRule = {
  id: 'merge-without-independent-approval',
  description:
    'A change was merged, and no approval that stood at the merge (given before it, not dismissed, not followed by a request for changes of the same person) was by a person other than its author.',
  rows: (scope, limit) =>
    exceptions('merge-without-independent-approval', mergesWithoutApproval(bounds(scope)), limit),
};

/** How many commits of agents ended in which state. */
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
