/** Audit events that GitLab streams: who changed what in its settings, memberships and keys. */
import type { JsonObject } from '../../../schemas/json.ts';
import { instantAt, statedFacts, textAt, valueAt, wordAt } from '../../drafts/nested.ts';
import type { ForgeEvent } from './forge-event.ts';

/** Event types that map to a record type; all other events are `event.observed`. */
const TYPES: readonly (readonly [pattern: RegExp, type: string])[] = [
  [/^merge_request_create(d)?$/, 'change.proposed'],
  [/^merge_request_merged$/, 'change.merged'],
  [/^merge_request_/, 'change.updated'],
  [
    /^(approval_rule|protected_|push_rule|repository_push_rule|project_push_rule|.*_approval_settings)/,
    'protection.changed',
  ],
  [/^(member_|deploy_key|deploy_token|personal_access_token|project_access_token)/, 'access.changed'],
  [/^(group_access_token|group_share|add_ssh_key|remove_ssh_key|ssh_key_|user_)/, 'access.changed'],
];

/** Undefined if the payload is not an audit event. */
export function readGitlabAudit(payload: JsonObject): ForgeEvent | undefined {
  const event = wordAt(payload, 'event_type');
  const id = textAt(payload, 'id');
  if (event === undefined || id === undefined || valueAt(payload, 'entity_type') === undefined)
    return undefined;
  const isApproval = isApprovalOf(payload);
  const claimed_user = textAt(payload, 'author_name');
  const entity = textAt(payload, 'entity_path');
  return {
    type: isApproval ? 'change.reviewed' : typeOf(event),
    event,
    id,
    facts: statedFacts({
      occurred_at: instantAt(payload, 'created_at'),
      claimed_user,
      claimed_user_source: claimed_user === undefined ? undefined : 'author_name',
      repository: valueAt(payload, 'entity_type') === 'Project' ? entity : undefined,
      organization_id: valueAt(payload, 'entity_type') === 'Group' ? entity : undefined,
      target_user: valueAt(payload, 'target_type') === 'User' ? textAt(payload, 'target_details') : undefined,
      decision: isApproval ? 'approved' : undefined,
      request_id: id,
    }),
    content: payload,
  };
}

/** An approval has the same event type as other operations. Only its fixed message identifies it. */
function isApprovalOf(payload: JsonObject): boolean {
  const message = valueAt(payload, 'details', 'custom_message');
  const target = valueAt(payload, 'target_type');
  return (
    target === 'MergeRequest' && typeof message === 'string' && message.startsWith('Approved merge request')
  );
}

function typeOf(event: string): string {
  return TYPES.find(([pattern]) => pattern.test(event))?.[1] ?? 'event.observed';
}
