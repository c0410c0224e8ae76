/** The record type of each event of GitHub, and the facts that only events of its kind have. */
import type { JsonObject } from '../../../schemas/json.ts';
import { isJsonObject } from '../../../schemas/json.ts';
import { instantAt, textAt, valueAt, wordAt, type PossibleFacts } from '../../drafts/nested.ts';
import { commitIdOf, successOf } from './forge-event.ts';

export interface ForgeKind {
  readonly type: string;
  readonly facts: PossibleFacts;
}

type ReadKind = (payload: JsonObject, action: string | undefined) => ForgeKind;

const OBSERVED: ForgeKind = { type: 'event.observed', facts: {} };

/** For each event, the member that its payload must have and the function that reads it. */
const KINDS: ReadonlyMap<string, readonly [member: string, read: ReadKind]> = new Map([
  ['pull_request', ['pull_request', readPullRequest]],
  ['pull_request_review', ['review', readReview]],
  ['check_run', ['check_run', readCheck('check_run')]],
  ['check_suite', ['check_suite', readCheck('check_suite')]],
  ['workflow_run', ['workflow_run', readCheck('workflow_run')]],
  ['status', ['commit', readStatus]],
  ['deployment', ['deployment', readDeployment]],
  ['deployment_status', ['deployment_status', readDeploymentStatus]],
  ['deployment_review', ['workflow_run', readDeploymentReview]],
  ['deployment_protection_rule', ['deployment', readDeployment]],
  ['branch_protection_rule', ['rule', readProtection('rule')]],
  ['branch_protection_configuration', ['repository', readProtection('rule')]],
  ['repository_ruleset', ['repository_ruleset', readProtection('repository_ruleset')]],
  ['member', ['member', readAccess]],
  ['membership', ['member', readAccess]],
  ['team', ['team', readAccess]],
  ['team_add', ['team', readAccess]],
  ['organization', ['organization', readAccess]],
  ['org_block', ['blocked_user', readAccess]],
  ['deploy_key', ['key', readAccess]],
  ['installation', ['installation', readAccess]],
  ['installation_repositories', ['installation', readAccess]],
  ['github_app_authorization', ['sender', readAccess]],
  ['personal_access_token_request', ['personal_access_token_request', readAccess]],
  ['public', ['repository', readAccess]],
  ['repository', ['repository', readRepository]],
] as const);

export function readGithubKind(name: string, payload: JsonObject, action: string | undefined): ForgeKind {
  const kind = KINDS.get(name);
  if (kind === undefined || !isJsonObject(valueAt(payload, kind[0]))) return OBSERVED;
  return kind[1](payload, action);
}

function readPullRequest(payload: JsonObject, action: string | undefined): ForgeKind {
  const pull = valueAt(payload, 'pull_request');
  const type = changeTypeOf(action, valueAt(pull, 'merged') === true);
  const isMerged = type === 'change.merged';
  const endedAt = { 'change.merged': 'merged_at', 'change.closed': 'closed_at' }[type] ?? 'updated_at';
  const person = textAt(payload, 'requested_reviewer', 'login') ?? textAt(payload, 'assignee', 'login');
  return {
    type,
    facts: {
      occurred_at: instantAt(pull, endedAt) ?? instantAt(pull, 'updated_at'),
      git_commit_id: commitIdOf(isMerged ? textAt(pull, 'merge_commit_sha') : textAt(pull, 'head', 'sha')),
      target_user: person ?? textAt(pull, 'user', 'login'),
      team_id: textAt(payload, 'requested_team', 'slug'),
    },
  };
}

function changeTypeOf(action: string | undefined, isMerged: boolean): string {
  switch (action) {
    case 'opened':
    case 'reopened':
      return 'change.proposed';
    case 'merged':
      return 'change.merged';
    case 'closed':
      return isMerged ? 'change.merged' : 'change.closed';
    default:
      return 'change.updated';
  }
}

function readReview(payload: JsonObject, action: string | undefined): ForgeKind {
  const review = valueAt(payload, 'review');
  const changedAt = instantAt(review, 'updated_at') ?? instantAt(payload, 'pull_request', 'updated_at');
  return {
    type: 'change.reviewed',
    facts: {
      occurred_at: action === 'submitted' ? instantAt(review, 'submitted_at') : changedAt,
      git_commit_id: commitIdOf(textAt(review, 'commit_id')),
      decision: action === 'dismissed' ? 'dismissed' : wordAt(review, 'state')?.toLowerCase(),
      target_user: textAt(payload, 'pull_request', 'user', 'login'),
    },
  };
}

function readCheck(member: string): ReadKind {
  return (payload) => {
    const check = valueAt(payload, member);
    const conclusion = wordAt(check, 'conclusion');
    return {
      type: 'change.checked',
      facts: {
        occurred_at:
          instantAt(check, 'completed_at') ??
          instantAt(check, 'updated_at') ??
          instantAt(check, 'started_at'),
        git_commit_id: commitIdOf(textAt(check, 'head_sha')),
        reason: conclusion,
        success: successOf(conclusion),
      },
    };
  };
}

function readStatus(payload: JsonObject): ForgeKind {
  const state = wordAt(payload, 'state');
  return {
    type: 'change.checked',
    facts: {
      occurred_at: instantAt(payload, 'updated_at'),
      git_commit_id: commitIdOf(textAt(payload, 'sha')),
      reason: state,
      success: successOf(state),
    },
  };
}

function readDeployment(payload: JsonObject): ForgeKind {
  return {
    type: 'change.deployed',
    facts: {
      occurred_at: instantAt(payload, 'deployment', 'created_at'),
      git_commit_id: commitIdOf(textAt(payload, 'deployment', 'sha')),
    },
  };
}

function readDeploymentStatus(payload: JsonObject): ForgeKind {
  const status = valueAt(payload, 'deployment_status');
  const state = wordAt(status, 'state');
  return {
    type: 'change.deployed',
    facts: {
      occurred_at: instantAt(status, 'updated_at') ?? instantAt(status, 'created_at'),
      git_commit_id: commitIdOf(textAt(payload, 'deployment', 'sha')),
      reason: state,
      success: successOf(state),
    },
  };
}

function readDeploymentReview(payload: JsonObject, action: string | undefined): ForgeKind {
  return {
    type: 'change.deployed',
    facts: {
      occurred_at: instantAt(payload, 'since'),
      git_commit_id: commitIdOf(textAt(payload, 'workflow_run', 'head_sha')),
      decision: action === 'approved' || action === 'rejected' ? action : undefined,
      target_user: textAt(payload, 'requestor', 'login'),
    },
  };
}

function readProtection(member: string): ReadKind {
  return (payload, action) => ({
    type: 'protection.changed',
    // A deleted object carries the time of its last update, not of its deletion.
    facts: { occurred_at: action === 'deleted' ? undefined : instantAt(payload, member, 'updated_at') },
  });
}

function readAccess(payload: JsonObject): ForgeKind {
  const target =
    textAt(payload, 'member', 'login') ??
    textAt(payload, 'membership', 'user', 'login') ??
    textAt(payload, 'invitation', 'login') ??
    textAt(payload, 'blocked_user', 'login') ??
    textAt(payload, 'personal_access_token_request', 'owner', 'login');
  return {
    type: 'access.changed',
    facts: {
      target_user: target,
      team_id: textAt(payload, 'team', 'slug'),
      reason:
        wordAt(payload, 'changes', 'role_name', 'to') ??
        wordAt(payload, 'changes', 'permission', 'to') ??
        wordAt(payload, 'membership', 'role'),
    },
  };
}

/** Actions that change the visibility or the owner of a repository. */
const ACCESS_ACTIONS: ReadonlySet<string> = new Set(['privatized', 'publicized', 'transferred']);

function readRepository(payload: JsonObject, action: string | undefined): ForgeKind {
  return action !== undefined && ACCESS_ACTIONS.has(action) ? readAccess(payload) : OBSERVED;
}
