import type { Envelope } from '../../../schemas/envelope.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { itemSource } from '../../drafts/item-source.ts';
import { omitMembers } from '../../drafts/members.ts';
import { instantAt, statedFacts, textAt, valueAt, wordAt, type PossibleFacts } from '../../drafts/nested.ts';
import { GITLAB_PROOF } from './deliveries.ts';
import { commitIdOf, successOf, toForgeDrafts, type ForgeEvent } from './forge-event.ts';
import { readGitlabAudit } from './gitlab-audit.ts';

const FORGE = 'gitlab';

/**
 * GitLab's webhooks (docs.gitlab.com, "Webhook events") and streamed audit events ("Audit event schema"). Written
 * from the documented shapes; none was recorded. The members of a body show which of the two it is, and of what kind.
 */
export const gitlab = itemSource({
  name: FORGE,
  title: 'GitLab, webhooks and streamed audit events',
  route: '/v1/webhooks/gitlab',
  contentTypes: ['application/json'],
  // Older releases send JSON with the content type of a form.
  otherTypes: 'application/json',
  proof: GITLAB_PROOF,
  isSingle: true,
  sessionOf: () => undefined,
  toDrafts: (envelope, payload) => toForgeDrafts(envelope, FORGE, payload, toEvents(envelope, payload)),
});

type ReadHook = (payload: JsonObject) => Pick<ForgeEvent, 'type'> & { readonly facts: PossibleFacts };

const HOOKS: ReadonlyMap<string, ReadHook> = new Map([
  ['merge_request', readMergeRequest],
  ['pipeline', readPipeline],
  ['deployment', readDeployment],
]);

/** Names of membership events, which have no `object_kind`. */
const ACCESS_EVENT = /^user_(add|remove|update)_(to|from|for)_(group|team)$/;

function toEvents(envelope: Envelope, payload: JsonObject): ForgeEvent[] {
  const audit = readGitlabAudit(payload);
  if (audit !== undefined) return [audit];
  const kind = wordAt(payload, 'object_kind') ?? wordAt(payload, 'event_name');
  const action = wordAt(payload, 'object_attributes', 'action');
  const name = kind ?? envelope.event_name ?? 'unnamed';
  const event = action === undefined ? name : `${name}.${action}`;
  const common = commonFacts(envelope, payload);
  if (kind === 'push' || kind === 'tag_push') return pushEvents(payload, event, common);
  const read = HOOKS.get(name)?.(payload);
  if (read !== undefined) {
    return [{ type: read.type, event, facts: statedFacts({ ...common, ...read.facts }), content: payload }];
  }
  const type = ACCESS_EVENT.test(name) ? 'access.changed' : 'event.observed';
  const facts =
    type === 'access.changed'
      ? { ...common, target_user: textAt(payload, 'user_username'), reason: wordAt(payload, 'group_access') }
      : common;
  return [{ type, event, facts: statedFacts(facts), content: payload }];
}

function commonFacts(envelope: Envelope, payload: JsonObject): PossibleFacts {
  const [claimed_user, claimed_user_source] = actorOf(payload);
  const repository = textAt(payload, 'project', 'path_with_namespace');
  const number = textAt(
    valueAt(payload, 'merge_request') ??
      (valueAt(payload, 'object_kind') === 'merge_request'
        ? valueAt(payload, 'object_attributes')
        : undefined),
    'iid',
  );
  return {
    claimed_user,
    claimed_user_source,
    organization_id: textAt(payload, 'group_path'),
    repository,
    change_id: repository === undefined || number === undefined ? undefined : `${repository}!${number}`,
    request_id: envelope.idempotency_key ?? undefined,
  };
}

/** A membership event names the member in the place where other events name the actor. */
function actorOf(payload: JsonObject): [string, string] | [] {
  const name = textAt(payload, 'user', 'username');
  if (name !== undefined) return [name, 'user.username'];
  const own = textAt(payload, 'user_username');
  if (own === undefined || ACCESS_EVENT.test(textAt(payload, 'event_name') ?? '')) return [];
  return [own, 'user_username'];
}

/** A push lists at most twenty commits. `total_commits_count`, in the content, is the number of all. */
function pushEvents(payload: JsonObject, event: string, common: PossibleFacts): ForgeEvent[] {
  const type = 'change.pushed';
  const listed = valueAt(payload, 'commits');
  const commits: readonly JsonValue[] = Array.isArray(listed) ? listed : [];
  const content = {
    ...omitMembers(payload, new Set(['commits'])),
    ...(listed === undefined ? {} : { commits: Array.isArray(listed) ? commits.map(toReference) : listed }),
  };
  const facts = statedFacts({ ...common, git_commit_id: commitIdOf(textAt(payload, 'after')) });
  const parts = commits.flatMap((commit): ForgeEvent[] => {
    const id = commitIdOf(textAt(commit, 'id'));
    if (id === undefined || !isJsonObject(commit)) return [];
    const own = statedFacts({ ...common, git_commit_id: id });
    return [{ type, event: `${event}.commit`, facts: own, content: commit, part: id }];
  });
  return [{ type, event, facts, content }, ...parts];
}

function toReference(commit: JsonValue): JsonValue {
  const id = commitIdOf(textAt(commit, 'id'));
  return id !== undefined && isJsonObject(commit) ? id : commit;
}

const MERGE_REQUEST_TYPES: ReadonlyMap<string, string> = new Map([
  ['open', 'change.proposed'],
  ['reopen', 'change.proposed'],
  ['merge', 'change.merged'],
  ['close', 'change.closed'],
  ['approved', 'change.reviewed'],
  ['approval', 'change.reviewed'],
  ['unapproved', 'change.reviewed'],
  ['unapproval', 'change.reviewed'],
]);

function readMergeRequest(payload: JsonObject): ReturnType<ReadHook> {
  const request = valueAt(payload, 'object_attributes');
  const action = wordAt(request, 'action') ?? '';
  const type = MERGE_REQUEST_TYPES.get(action) ?? 'change.updated';
  const head = textAt(request, 'last_commit', 'id');
  const merged = type === 'change.merged' ? textAt(request, 'merge_commit_sha') : undefined;
  const approval = action.startsWith('un') ? 'dismissed' : 'approved';
  return {
    type,
    facts: {
      occurred_at: instantAt(request, 'updated_at'),
      git_commit_id: commitIdOf(merged ?? head),
      decision: type === 'change.reviewed' ? approval : undefined,
      target_user: authorOf(payload),
    },
  };
}

/** The payload names the author only by number. Other members give people with number and name. */
function authorOf(payload: JsonObject): string | undefined {
  const id = textAt(payload, 'object_attributes', 'author_id');
  const people = [
    valueAt(payload, 'user'),
    valueAt(payload, 'assignees'),
    valueAt(payload, 'reviewers'),
  ].flat();
  const author = people.find((person) => id !== undefined && textAt(person, 'id') === id);
  return textAt(author, 'username');
}

function readPipeline(payload: JsonObject): ReturnType<ReadHook> {
  const pipeline = valueAt(payload, 'object_attributes');
  const status = wordAt(pipeline, 'status');
  return {
    type: 'change.checked',
    facts: {
      occurred_at: instantAt(pipeline, 'finished_at') ?? instantAt(pipeline, 'created_at'),
      git_commit_id: commitIdOf(textAt(pipeline, 'sha')),
      reason: status,
      success: successOf(status),
    },
  };
}

function readDeployment(payload: JsonObject): ReturnType<ReadHook> {
  const status = wordAt(payload, 'status');
  return {
    type: 'change.deployed',
    facts: {
      occurred_at: instantAt(payload, 'status_changed_at'),
      git_commit_id: commitIdOf(textAt(payload, 'short_sha')),
      reason: status,
      success: successOf(status),
    },
  };
}
