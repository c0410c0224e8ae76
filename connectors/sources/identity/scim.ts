/**
 * SCIM 2.0 (RFC 7643, RFC 7644) as provisioning pushes it: users and groups, and patches of them. A patch does not say
 * whom it patches, so its sender adds `id`, and may add `userName`, `displayName`, `by` and `occurred_at`.
 */
import type { Envelope } from '../../../schemas/envelope.ts';
import { isJsonObject, toHashable, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { digestItem } from '../../drafts/digest.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { omitMembers, toContent } from '../../drafts/members.ts';
import { instantAt, statedFacts, textAt, valueAt } from '../../drafts/nested.ts';
import { readOperation, type ScimChange } from './scim-operation.ts';

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

export function isScim(value: JsonObject): boolean {
  return schemasOf(value).some((schema) => schema === USER || schema === GROUP || schema === PATCH);
}

/**
 * At least one draft. Only the content of the first holds the members that all changes of an item share. The resource's
 * id is content and not a fact, because it can be the id of a person.
 */
export function toScimDrafts(envelope: Envelope, value: JsonObject): DraftRecord[] {
  const by = textAt(value, 'by');
  const shared = {
    occurred_at: instantAt(value, 'occurred_at') ?? instantAt(value, 'meta', 'lastModified'),
    claimed_user: by,
    claimed_user_source: by === undefined ? undefined : 'by',
    organization_id: textAt(value, 'organization'),
  };
  const digest = digestItem(value);
  return readChanges(value).map(({ type, facts, content }, index) => ({
    type,
    source: 'identity',
    natural_key: ['identity', 'scim', textAt(value, 'id') ?? '', String(index), digest],
    claimed_subject: by ?? null,
    facts: {
      source_event: eventOf(value),
      collector: envelope.principal,
      ...statedFacts({ ...shared, ...facts }),
    },
    content: toContent(toHashable(content) as JsonObject),
  }));
}

function schemasOf(value: JsonObject): readonly JsonValue[] {
  const schemas = valueAt(value, 'schemas');
  return Array.isArray(schemas) ? (schemas as readonly JsonValue[]) : [];
}

function eventOf(value: JsonObject): string {
  const schemas = schemasOf(value);
  if (schemas.includes(PATCH)) return 'scim.patch';
  return schemas.includes(USER) ? 'scim.user' : 'scim.group';
}

function readChanges(value: JsonObject): ScimChange[] {
  const event = eventOf(value);
  if (event === 'scim.patch') return readPatch(value);
  return event === 'scim.user' ? [readUser(value)] : readGroup(value);
}

/** A user that was changed after its creation is not new. A user that is not active has left. */
function readUser(value: JsonObject): ScimChange {
  const created = instantAt(value, 'meta', 'created');
  const changed = instantAt(value, 'meta', 'lastModified');
  const isNew = changed === undefined || changed === created;
  const type = value['active'] === false ? 'identity.left' : isNew ? 'identity.joined' : 'identity.changed';
  return {
    type,
    facts: { target_user: textAt(value, 'userName') ?? textAt(value, 'id') },
    content: value,
  };
}

/** One change for the group as it is now, and one for each of its members. */
function readGroup(value: JsonObject): ScimChange[] {
  const role = textAt(value, 'displayName') ?? textAt(value, 'id');
  const listed = valueAt(value, 'members');
  const members: readonly JsonValue[] = Array.isArray(listed) ? listed : [];
  const named = members.filter(isJsonObject);
  const others = members.filter((member) => !isJsonObject(member));
  const rest = omitMembers(value, new Set(['members']));
  const group: ScimChange = {
    type: 'identity.changed',
    facts: { reason: role },
    content:
      others.length > 0 || !Array.isArray(listed)
        ? { ...value, ...(named.length > 0 ? { members: others } : {}) }
        : rest,
  };
  return [group, ...named.map((member) => toMembership('identity.role_granted', role, member))];
}

function toMembership(type: string, role: string | undefined, member: JsonObject): ScimChange {
  const target_user = textAt(member, 'display') ?? textAt(member, 'value');
  return { type, facts: { target_user, reason: role }, content: { member } };
}

function readPatch(value: JsonObject): ScimChange[] {
  const listed = valueAt(value, 'Operations');
  const operations: readonly JsonValue[] = Array.isArray(listed) ? listed : [];
  const target = {
    user: textAt(value, 'userName') ?? textAt(value, 'id'),
    group: textAt(value, 'displayName') ?? textAt(value, 'id'),
  };
  const changes = operations.flatMap((operation) => readOperation(operation, target));
  const rest = omitMembers(value, new Set(['Operations']));
  const [first, ...others] = changes;
  if (first === undefined)
    return [{ type: 'identity.changed', facts: { target_user: target.user }, content: value }];
  return [{ ...first, content: { ...rest, ...first.content } }, ...others];
}
