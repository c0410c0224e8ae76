import { isJsonObject, type JsonObject } from '../../../schemas/json.ts';
import { epochMillisToInstant } from '../gateways/units.ts';
import { itemSource } from '../../drafts/item-source.ts';
import { instantAt, statedFacts, textAt, valueAt, wordAt, type PossibleFacts } from '../../drafts/nested.ts';
import { commitIdOf, successOf, toForgeDrafts, type ForgeEvent } from './forge-event.ts';

const FORGE = 'github-audit';

/**
 * Events of GitHub's audit log (docs.github.com, "Audit log events for your enterprise"), from the API and from the
 * stream. Written from the documents; none was recorded. It is the second source beside webhooks, and the only source
 * for bypassed rules, tokens and Git operations.
 */
export const githubAudit = itemSource({
  name: FORGE,
  title: 'GitHub, audit log',
  route: '/v1/activities/github',
  sessionOf: () => undefined,
  toDrafts: (envelope, value) => toForgeDrafts(envelope, FORGE, value, [toEvent(value)]),
});

type ReadAction = (value: JsonObject) => { readonly type: string; readonly facts: PossibleFacts };

const as =
  (type: string, facts: PossibleFacts = {}): ReadAction =>
  () => ({ type, facts });

/** The first pattern that matches the action decides. */
const ACTIONS: readonly (readonly [pattern: RegExp, read: ReadAction])[] = [
  [/^protected_branch\.policy_override$/, readBypass],
  [/^secret_scanning_push_protection\.bypass$/, readBypass],
  [/^protected_branch\.rejected_ref_update$/, as('protection.changed', { decision: 'enforced' })],
  [/^(protected_branch|repository_ruleset|environment|required_status_check)\./, as('protection.changed')],
  [/^repo(sitory)?\.(update_)?(branch_protection|ruleset)/, as('protection.changed')],
  [
    /^pull_request\.create$/,
    (value) => ({ type: 'change.proposed', facts: { target_user: actorOf(value) } }),
  ],
  [/^pull_request\.reopen$/, as('change.proposed')],
  [/^pull_request\.merge$/, as('change.merged')],
  [/^pull_request\.close$/, as('change.closed')],
  [/^pull_request_review\.(submit|dismiss)$/, readReview],
  [/^pull_request(_review)?\./, as('change.updated')],
  [/^git\.push$/, as('change.pushed')],
  [/^workflows\.completed_workflow_run$/, readWorkflow],
  [/^(org|repo|team|business)\.(\w+_)?(member|admin|owner|collaborator|team|repository)(_\w+)?$/, readAccess],
  [/^(repo\.access|org\.(block|unblock)_user|team\.(create|destroy|change_privacy))$/, readAccess],
  [/^(personal_access_token|public_key|deploy_key|org_credential_authorization|oauth_access)\./, readAccess],
  [/^(integration_installation|oauth_authorization|external_identity|enterprise_installation)\./, readAccess],
  [
    /^(org|business|audit_log_streaming|hook|sso|saml|ip_allow_list\w*|copilot|role)\./,
    as('administration.changed'),
  ],
];

function toEvent(value: JsonObject): ForgeEvent {
  const action = wordAt(value, 'action');
  const read = ACTIONS.find(([pattern]) => action !== undefined && pattern.test(action))?.[1];
  const { type, facts } = read?.(value) ?? { type: 'event.observed', facts: {} };
  const id = textAt(value, '_document_id') ?? textAt(value, 'event_id');
  return {
    type,
    event: action ?? wordAt(value, 'type') ?? 'unnamed',
    facts: statedFacts({ ...commonFacts(value, id), ...facts }),
    content: value,
    ...(id === undefined ? {} : { id }),
  };
}

function commonFacts(value: JsonObject, id: string | undefined): PossibleFacts {
  const actor = actorOf(value);
  const byAgent = valueAt(value, 'actor_is_agent') === true;
  const user = textAt(value, 'user');
  // An agent acts for the person who started it.
  const person = byAgent ? (user ?? actor) : actor;
  const repository = textAt(value, 'repo');
  return {
    occurred_at:
      epochMillisToInstant(valueAt(value, '@timestamp')) ??
      epochMillisToInstant(valueAt(value, 'created_at')) ??
      instantAt(value, '@timestamp'),
    claimed_user: person,
    claimed_user_source: person === undefined ? undefined : byAgent && user !== undefined ? 'user' : 'actor',
    agent_id: byAgent ? textAt(value, 'agent_session_id') : undefined,
    agent_type: byAgent ? actor : undefined,
    organization_id: textAt(value, 'org') ?? textAt(value, 'business'),
    repository,
    change_id: changeOf(value, repository),
    team_id: textAt(value, 'team'),
    virtual_key: textAt(value, 'hashed_token'),
    request_id: id,
  };
}

function actorOf(value: JsonObject): string | undefined {
  return textAt(value, 'actor');
}

/** The pull request is named by an address that ends in its number. */
function changeOf(value: JsonObject, repository: string | undefined): string | undefined {
  const address = textAt(value, 'pull_request_url') ?? textAt(value, 'referrer') ?? '';
  const [, named, number] = /^https:\/\/[^/]+\/([^/]+\/[^/]+)\/pull\/([0-9]+)(?:$|[/?#])/.exec(address) ?? [];
  return named !== undefined && number !== undefined && named === repository
    ? `${named}#${number}`
    : undefined;
}

/** Reads the bypass of a rule by somebody who has the right to bypass it. */
function readBypass(value: JsonObject): ReturnType<ReadAction> {
  const codes = valueAt(value, 'overridden_codes');
  return {
    type: 'protection.changed',
    facts: {
      decision: 'bypassed',
      reason: Array.isArray(codes) ? codes.filter((code) => typeof code === 'string').join(' ') : undefined,
      git_commit_id: commitIdOf(textAt(value, 'after')),
    },
  };
}

function readReview(value: JsonObject): ReturnType<ReadAction> {
  const isDismissal = wordAt(value, 'action') === 'pull_request_review.dismiss';
  const state = wordAt(value, 'state') ?? wordAt(value, 'review_state');
  return {
    type: 'change.reviewed',
    facts: { decision: isDismissal ? 'dismissed' : state?.toLowerCase() },
  };
}

function readWorkflow(value: JsonObject): ReturnType<ReadAction> {
  const conclusion = wordAt(value, 'conclusion');
  return {
    type: 'change.checked',
    facts: {
      git_commit_id: commitIdOf(textAt(value, 'head_sha')),
      reason: conclusion,
      success: successOf(conclusion),
    },
  };
}

function readAccess(value: JsonObject): ReturnType<ReadAction> {
  return {
    type: 'access.changed',
    facts: {
      target_user: valueAt(value, 'actor_is_agent') === true ? undefined : textAt(value, 'user'),
      reason: wordAt(value, 'permission') ?? wordAt(value, 'visibility') ?? roleOf(value),
    },
  };
}

function roleOf(value: JsonObject): string | undefined {
  const data = valueAt(value, 'data');
  return wordAt(value, 'role') ?? (isJsonObject(data) ? wordAt(data, 'role') : undefined);
}
