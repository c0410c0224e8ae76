/** One operation of a SCIM patch (RFC 7644 section 3.5.2). */
import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { textAt, valueAt, type PossibleFacts } from '../../drafts/nested.ts';

/** One change that a resource or an operation of a patch reports. */
export interface ScimChange {
  readonly type: string;
  readonly facts: PossibleFacts;
  readonly content: JsonObject;
}

/** The subject of a patch: a user, or a group, which is read as a role. */
export interface PatchTarget {
  readonly user: string | undefined;
  readonly group: string | undefined;
}

/** A path that removes one member of a group: `members[value eq "2819c223"]`. */
const CHOSEN_MEMBER = /^members\[value eq "([^"\]]{1,256})"\]$/i;

/** At least one change for each operation. An unknown operation becomes `identity.changed`. */
export function readOperation(operation: JsonValue, target: PatchTarget): ScimChange[] {
  const content = { operation };
  const active = readActive(operation);
  if (active !== undefined) {
    const type = active ? 'identity.joined' : 'identity.left';
    return [{ type, facts: { target_user: target.user }, content }];
  }
  const roles = readRoles(operation, target);
  if (roles.length > 0) return roles;
  return [{ type: 'identity.changed', facts: { target_user: target.user }, content }];
}

function readActive(operation: JsonValue): boolean | undefined {
  if (opOf(operation) === 'remove') return undefined;
  const value = valueAt(operation, 'value');
  return textAt(operation, 'path')?.toLowerCase() === 'active'
    ? toFlag(value)
    : toFlag(valueAt(value, 'active'));
}

const ROLE_TYPES: ReadonlyMap<string, string> = new Map([
  ['add', 'identity.role_granted'],
  ['remove', 'identity.role_revoked'],
]);
const ROLE_PATHS: readonly string[] = ['roles', 'groups', 'entitlements'];

/** Empty if the operation neither grants nor revokes a role by name. */
function readRoles(operation: JsonValue, { user, group }: PatchTarget): ScimChange[] {
  const content = { operation };
  const type = ROLE_TYPES.get(opOf(operation));
  const path = textAt(operation, 'path') ?? '';
  if (type === undefined) return [];
  const chosen = CHOSEN_MEMBER.exec(path)?.[1];
  if (chosen !== undefined) return [{ type, facts: { target_user: chosen, reason: group }, content }];
  const names = namesOf(valueAt(operation, 'value'));
  if (path === 'members') {
    return toChanges(type, names, (name) => ({ target_user: name, reason: group }), content);
  }
  return ROLE_PATHS.includes(path)
    ? toChanges(type, names, (name) => ({ target_user: user, reason: name }), content)
    : [];
}

function opOf(operation: JsonValue): string {
  return textAt(operation, 'op')?.toLowerCase() ?? '';
}

/** Only the first change holds the operation: a long list of members must not be repeated for each of them. */
function toChanges(
  type: string,
  names: readonly string[],
  toFacts: (name: string) => ScimChange['facts'],
  content: ScimChange['content'],
): ScimChange[] {
  return names.map((name, index) => ({ type, facts: toFacts(name), content: index === 0 ? content : {} }));
}

/** Empty if one of the values has no name. */
function namesOf(value: JsonValue | undefined): string[] {
  const values: readonly (JsonValue | undefined)[] = Array.isArray(value)
    ? (value as readonly JsonValue[])
    : [value];
  const names = values.flatMap((one) => {
    const name = isJsonObject(one)
      ? (textAt(one, 'display') ?? textAt(one, 'value'))
      : textAt({ one: one ?? null }, 'one');
    return name ?? [];
  });
  return names.length === values.length ? names : [];
}

/** Some providers write a flag as "False". */
function toFlag(value: JsonValue | undefined): boolean | undefined {
  const text = typeof value === 'string' ? value.toLowerCase() : value;
  if (text === true || text === 'true') return true;
  return text === false || text === 'false' ? false : undefined;
}
