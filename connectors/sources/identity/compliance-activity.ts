import type { Envelope } from '../../../schemas/envelope.ts';
import { isJsonObject, toHashable, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { digestItem } from '../../drafts/digest.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { itemSource } from '../../drafts/item-source.ts';
import { omitMembers, toContent } from '../../drafts/members.ts';
import { instantAt, statedFacts, textAt, valueAt, wordAt } from '../../drafts/nested.ts';

/**
 * Activities of Anthropic's Compliance API (platform.claude.com, "List activities"): pages as the API answers with them,
 * or activities alone. Written from the documents; none was recorded.
 */
export const complianceActivity = itemSource({
  name: 'compliance-api',
  title: "Anthropic's Compliance API, activities",
  route: '/v1/activities/anthropic',
  sessionOf: () => undefined,
  toDrafts: (envelope, value): DraftRecord[] => {
    const { data } = value;
    if (!Array.isArray(data)) return [toDraft(envelope, value)];
    const activities: readonly JsonValue[] = data;
    const odd = activities.filter((one) => !isJsonObject(one));
    const page = { ...omitMembers(value, new Set(['data'])), ...(odd.length === 0 ? {} : { data: odd }) };
    const first: DraftRecord = {
      type: 'event.observed',
      source: 'identity',
      natural_key: ['compliance-api', 'page', digestItem(value)],
      claimed_subject: null,
      facts: { source_event: 'activity_page', collector: envelope.principal },
      content: toContent(toHashable(page) as JsonObject),
    };
    return [first, ...activities.filter(isJsonObject).map((activity) => toDraft(envelope, activity))];
  },
});

/** Activity types that map to a record type. The API has hundreds of others. */
const TYPES: readonly (readonly [pattern: RegExp, type: string])[] = [
  [/^(sso_login|social_login|session_revoked|magic_link)/, 'auth.observed'],
  [/^scim_user_(created|added)$/, 'identity.joined'],
  [/^scim_user_(deleted|removed|deactivated)$/, 'identity.left'],
  [/(^|_)role_assignment_granted$/, 'identity.role_granted'],
  [/(^|_)role_assignment_revoked$/, 'identity.role_revoked'],
  [/(^|_)api_key_created$/, 'identity.key_created'],
  [/(^|_)api_key_(deleted|revoked|archived|disabled)$/, 'identity.key_revoked'],
  [/^(scim_|rbac_)/, 'identity.changed'],
  [
    /(^mcp_|^inference_hooks_config|_settings_|_policy_|_export_|^admin_|^platform_api_key_|^org_)/,
    'administration.changed',
  ],
];

const ACTORS = ['email_address', 'user_id', 'api_key_id', 'admin_api_key_id'] as const;

function toDraft(envelope: Envelope, value: JsonObject): DraftRecord {
  const event = wordAt(value, 'type') ?? 'unnamed';
  const id = textAt(value, 'id');
  const actor = ACTORS.find((name) => textAt(value, 'actor', name) !== undefined);
  const claimed_user = actor === undefined ? undefined : textAt(value, 'actor', actor);
  return {
    type: TYPES.find(([pattern]) => pattern.test(event))?.[1] ?? 'event.observed',
    source: 'identity',
    natural_key: ['compliance-api', id ?? '', digestItem(value)],
    claimed_subject: claimed_user ?? null,
    facts: {
      source_event: event,
      collector: envelope.principal,
      ...statedFacts({
        occurred_at: instantAt(value, 'created_at'),
        claimed_user,
        claimed_user_source: actor === undefined ? undefined : `actor.${actor}`,
        organization_id: textAt(value, 'organization_uuid') ?? textAt(value, 'organization_id'),
        target_user: textAt(value, 'user', 'email_address') ?? textAt(value, 'user_id'),
        virtual_key: valueAt(value, 'api_key_id') === undefined ? undefined : textAt(value, 'api_key_id'),
        request_id: id,
      }),
    },
    content: toContent(toHashable(value) as JsonObject),
  };
}
