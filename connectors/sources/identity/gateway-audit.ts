/**
 * Audit rows of gateways about themselves: created, changed and withdrawn keys, users, teams and policies. The rows
 * are those of LiteLLM (docs.litellm.ai, "Audit logs") and Bifrost (docs/enterprise/audit-logs). Written from the
 * documents.
 */
import type { Envelope } from '../../../schemas/envelope.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { toHashable, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { digestItem } from '../../drafts/digest.ts';
import { parseStrict } from '../../wire/json/strict-json.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { toContent, toText } from '../../drafts/members.ts';
import { instantAt, statedFacts, textAt, valueAt, wordAt, type PossibleFacts } from '../../drafts/nested.ts';

interface AuditRow {
  readonly gateway: string;
  readonly type: string;
  readonly event: string;
  readonly facts: PossibleFacts;
}

export function isAuditRow(value: JsonObject): boolean {
  return readLitellmRow(value) !== undefined || readBifrostRow(value) !== undefined;
}

/** Undefined if the object is not a row of either gateway. */
export function toAuditDraft(envelope: Envelope, value: JsonObject): DraftRecord | undefined {
  const row = readLitellmRow(value) ?? readBifrostRow(value);
  if (row === undefined) return undefined;
  const { gateway, type, event, facts } = row;
  return {
    type,
    source: 'gateway',
    natural_key: ['gateway-audit', gateway, facts.request_id ?? '', digestItem(value)],
    claimed_subject: facts.claimed_user ?? null,
    facts: { source_event: event, collector: envelope.principal, gateway, ...statedFacts(facts) },
    content: toContent(toHashable(value) as JsonObject),
  };
}

/**
 * Record types of actions on keys and people. Any other action is administration, and so is an action on any other
 * object.
 */
const LIFE_CYCLE: ReadonlyMap<string, string> = new Map([
  ['key created', 'identity.key_created'],
  ['key regenerated', 'identity.key_created'],
  ['key deleted', 'identity.key_revoked'],
  ['key blocked', 'identity.key_revoked'],
  ['user created', 'identity.joined'],
  ['user deleted', 'identity.left'],
]);

const LITELLM_TABLES: ReadonlyMap<string, string> = new Map([
  ['LiteLLM_VerificationToken', 'key'],
  ['LiteLLM_UserTable', 'user'],
]);

function readLitellmRow(value: JsonObject): AuditRow | undefined {
  const table = wordAt(value, 'table_name');
  const action = wordAt(value, 'action');
  if (table === undefined || action === undefined || valueAt(value, 'object_id') === undefined)
    return undefined;
  const kind = LITELLM_TABLES.get(table);
  const object = textAt(value, 'object_id');
  const after = valuesOf(value, 'updated_values');
  const before = valuesOf(value, 'before_value');
  const said = (name: string) => textAt(after, name) ?? textAt(before, name);
  const by = textAt(value, 'changed_by');
  return {
    gateway: 'litellm',
    type: LIFE_CYCLE.get(`${kind ?? ''} ${action}`) ?? 'administration.changed',
    event: `${table}.${action}`,
    facts: {
      occurred_at: instantAt(value, 'updated_at'),
      claimed_user: by,
      claimed_user_source: by === undefined ? undefined : 'changed_by',
      target_user: kind === 'user' ? object : said('user_id'),
      virtual_key: kind === 'key' ? (said('key_alias') ?? object) : undefined,
      team_id: said('team_id'),
      request_id: textAt(value, 'id'),
    },
  };
}

/** A column of JSON, which some exports hold as text. */
function valuesOf(value: JsonObject, name: string): JsonValue | undefined {
  const column = valueAt(value, name);
  if (typeof column !== 'string') return column;
  try {
    const { value: parsed, problems } = parseStrict(Buffer.from(column));
    return problems.length === 0 ? parsed : undefined;
  } catch (error) {
    if (error instanceof PipelineError) return undefined;
    throw error;
  }
}

const BIFROST_ACTIONS: ReadonlyMap<string, string> = new Map([
  ['create', 'created'],
  ['delete', 'deleted'],
]);
const BIFROST_OUTCOMES: ReadonlyMap<string, boolean> = new Map([
  ['success', true],
  ['failure', false],
]);

function readBifrostRow(value: JsonObject): AuditRow | undefined {
  const action = wordAt(value, 'action');
  const outcome = wordAt(value, 'outcome');
  if (action === undefined || outcome === undefined || valueAt(value, 'initiator') === undefined)
    return undefined;
  const target = wordAt(value, 'target', 'type');
  const named = textAt(value, 'target', 'name') ?? textAt(value, 'target', 'id');
  const by = nameOf(valueAt(value, 'initiator'));
  return {
    gateway: 'bifrost',
    type: bifrostTypeOf(action, outcome, target),
    event: `audit.${action}`,
    facts: {
      occurred_at: instantAt(value, 'timestamp') ?? instantAt(value, 'created_at'),
      claimed_user: by,
      claimed_user_source: by === undefined ? undefined : 'initiator',
      target_user: target === 'user' ? named : undefined,
      virtual_key: target === 'virtual_key' ? named : undefined,
      request_id: textAt(value, 'id'),
      success: BIFROST_OUTCOMES.get(outcome),
      reason: outcome,
    },
  };
}

/** An action that did not succeed has changed nobody's rights. */
function bifrostTypeOf(action: string, outcome: string, target: string | undefined): string {
  if (action === 'authenticate') return 'auth.observed';
  const kind = target === 'virtual_key' ? 'key' : (target ?? '');
  const changed = LIFE_CYCLE.get(`${kind} ${BIFROST_ACTIONS.get(action) ?? action}`);
  return outcome === 'success' && changed !== undefined ? changed : 'administration.changed';
}

function nameOf(person: JsonValue | undefined): string | undefined {
  const names = ['email', 'name', 'id'].map((name) => textAt(person, name));
  return names.find((name) => name !== undefined) ?? toText(person ?? null);
}
