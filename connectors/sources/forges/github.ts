import type { Envelope } from '../../../schemas/envelope.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import type { StatedFacts } from '../../../schemas/record.ts';
import { epochSecondsToInstant } from '../gateways/units.ts';
import { itemSource } from '../../drafts/item-source.ts';
import { omitMembers } from '../../drafts/members.ts';
import { instantAt, statedFacts, textAt, valueAt, wordAt } from '../../drafts/nested.ts';
import { GITHUB_PROOF } from './deliveries.ts';
import { commitIdOf, toForgeDrafts, type ForgeEvent } from './forge-event.ts';
import { toJsonPayload } from './form-payload.ts';
import { readGithubKind } from './github-kinds.ts';

const FORGE = 'github';

/**
 * GitHub's webhooks (docs.github.com, "Webhook events and payloads"). The event's name comes in a header that the
 * signature does not cover, so a payload is read as an event only if it has the members of that event.
 */
export const github = itemSource({
  name: FORGE,
  title: 'GitHub, webhooks',
  route: '/v1/webhooks/github',
  contentTypes: ['application/json', 'application/x-www-form-urlencoded'],
  proof: GITHUB_PROOF,
  isSingle: true,
  openPayload: toJsonPayload,
  sessionOf: () => undefined,
  toDrafts: (envelope, payload) => toForgeDrafts(envelope, FORGE, payload, toEvents(envelope, payload)),
});

function toEvents(envelope: Envelope, payload: JsonObject): ForgeEvent[] {
  const name = envelope.event_name ?? 'unnamed';
  const action = wordAt(payload, 'action');
  const event = action === undefined ? name : `${name}.${action}`;
  const common = commonFacts(envelope, payload);
  if (name === 'push' && textAt(payload, 'ref') !== undefined) return pushEvents(payload, common);
  const { type, facts } = readGithubKind(name, payload, action);
  return [{ type, event, facts: { ...common, ...statedFacts(facts) }, content: payload }];
}

function commonFacts(envelope: Envelope, payload: JsonObject): Partial<StatedFacts> {
  const sender = textAt(payload, 'sender', 'login');
  const repository = textAt(payload, 'repository', 'full_name');
  const number = numberOfChange(payload);
  return statedFacts({
    claimed_user: sender,
    claimed_user_source: sender === undefined ? undefined : 'sender.login',
    organization_id: textAt(payload, 'organization', 'login'),
    repository,
    change_id: repository === undefined || number === undefined ? undefined : `${repository}#${number}`,
    request_id: envelope.idempotency_key ?? undefined,
  });
}

/** The pull request that an event is about; undefined for a check of several pull requests. */
function numberOfChange(payload: JsonObject): string | undefined {
  const own = textAt(payload, 'pull_request', 'number');
  if (own !== undefined) return own;
  if (isJsonObject(valueAt(payload, 'issue', 'pull_request'))) return textAt(payload, 'issue', 'number');
  for (const name of ['check_run', 'check_suite', 'workflow_run']) {
    const pulls = valueAt(payload, name, 'pull_requests');
    if (Array.isArray(pulls) && pulls.length === 1) {
      return textAt((pulls as readonly JsonValue[])[0], 'number');
    }
  }
  return undefined;
}

/** One event for the push of a branch or tag, and one for each of its commits. */
function pushEvents(payload: JsonObject, common: Partial<StatedFacts>): ForgeEvent[] {
  const type = 'change.pushed';
  const pushedAt = valueAt(payload, 'repository', 'pushed_at');
  const occurred_at = epochSecondsToInstant(pushedAt) ?? instantAt(pushedAt);
  const listed = valueAt(payload, 'commits');
  const commits: readonly JsonValue[] = Array.isArray(listed) ? listed : [];
  const facts = { ...common, ...statedFacts({ occurred_at }) };
  const content = {
    ...omitMembers(payload, new Set(['commits'])),
    ...(listed === undefined ? {} : { commits: Array.isArray(listed) ? commits.map(toReference) : listed }),
  };
  const head = statedFacts({ git_commit_id: commitIdOf(textAt(payload, 'after')) });
  const push: ForgeEvent = { type, event: 'push', facts: { ...facts, ...head }, content };
  const parts = commits.flatMap((commit): ForgeEvent[] => {
    const id = commitIdOf(textAt(commit, 'id'));
    if (id === undefined || !isJsonObject(commit)) return [];
    const author = textAt(commit, 'author', 'username');
    const more = statedFacts({
      git_commit_id: id,
      target_user: author === common.claimed_user ? undefined : author,
    });
    return [{ type, event: 'push.commit', facts: { ...facts, ...more }, content: commit, part: id }];
  });
  return [push, ...parts];
}

/** Each commit has its own record, so the push keeps only its id. Any other value stays as it is. */
function toReference(commit: JsonValue): JsonValue {
  const id = commitIdOf(textAt(commit, 'id'));
  return id !== undefined && isJsonObject(commit) ? id : commit;
}
