import { Type, type Static } from 'typebox';
import type { JsonObject } from './json.ts';
import { ClaimedInstant, HashHex, InstantUtc, SafeCount } from './primitives.ts';
import { RecordClass } from './retention.ts';

const Text = Type.Optional(Type.String());
const Count = Type.Optional(SafeCount);
const Flag = Type.Optional(Type.Boolean());

/** The result of a tool call as reported to the model, where flags of the source or a table of known texts decide it. */
export const Told = Type.Union([
  Type.Literal('executed'),
  Type.Literal('denied'),
  Type.Literal('unavailable'),
  Type.Literal('failed'),
  Type.Literal('unrecognised'),
]);
export type Told = Static<typeof Told>;

/** The decision of a gateway's policy on a call; `failed_open`: the check did not answer, and the call was let through. */
export const PolicyOutcome = Type.Union([
  Type.Literal('allow'),
  Type.Literal('warn'),
  Type.Literal('redact'),
  Type.Literal('block'),
  Type.Literal('failed_open'),
]);
export type PolicyOutcome = Static<typeof PolicyOutcome>;

/**
 * The persons of a record: names, logins, and ids of persons and of their devices. This part can be erased, and facts
 * and populations stay.
 */
export const Person = Type.Object(
  {
    claimed_user: Text,
    claimed_user_source: Text,
    install_id: Text,
    target_user: Text,
    virtual_key: Text,
  },
  { additionalProperties: false },
);
export type Person = Static<typeof Person>;

/**
 * The event, times, decision, outcome, model, cost and join keys of one record. Facts name no person, and hold no prompt,
 * file or output text. An absent member means that the source did not say. The names are also the names of SQL columns
 * and API members.
 */
export const Facts = Type.Object(
  {
    source_event: Type.String({ description: "the source's own name of the event" }),
    occurred_at: Type.Optional(ClaimedInstant),
    collector: Type.String({ description: 'sender of the record, from the credential' }),
    organization_id: Text,
    department: Text,
    team_id: Text,
    session_id: Text,
    prompt_id: Text,
    tool_use_id: Text,
    request_id: Text,
    message_id: Text,
    agent_id: Text,
    agent_type: Text,
    trace_id: Text,
    span_id: Text,
    tool_name: Text,
    mcp_server: Text,
    file_path: Text,
    git_commit_id: Text,
    decision: Text,
    decision_source: Text,
    permission_mode: Text,
    success: Flag,
    told: Type.Optional(Told),
    error_type: Text,
    duration_ms: Count,
    event_sequence: Count,
    model: Text,
    input_tokens: Count,
    output_tokens: Count,
    cache_read_tokens: Count,
    cache_creation_tokens: Count,
    cost_usd_micros: Count,
    input_size_bytes: Count,
    result_size_bytes: Count,
    metric_name: Text,
    metric_value: Text,
    hook_event: Text,
    hook_source: Text,
    hook_blocking_count: Count,
    hook_error_count: Count,
    app_version: Text,
    reason: Text,
    quarantine_reason: Text,
    quarantine_pointer: Text,
    body_sha256: Type.Optional(HashHex),
    synthetic: Flag,
    gateway: Text,
    provider: Text,
    policy_outcome: Type.Optional(PolicyOutcome),
    repository: Text,
    change_id: Text,
    collector_boot_id: Text,
    collector_sequence: Count,
    envelope_count: Count,
    repeat_count: Count,
    dead_letter_count: Count,
    event_log: Text,
    previous_event_log: Text,
    writer: Text,
    first_number: Count,
    last_number: Count,
    missing_since: Type.Optional(InstantUtc),
    old_vkey: Text,
    new_vkey: Text,
    new_package_key: Text,
    generation: Count,
    previous_origin: Text,
    trusted_tree_size: Count,
    trusted_root_hash: Type.Optional(HashHex),
    data_classes: Type.Optional(Type.Array(Type.String())),
  },
  { additionalProperties: false },
);
export type Facts = Static<typeof Facts>;

/** Facts and person together, as a source states them in one object. The normaliser takes them apart. */
export const StatedFacts = Type.Object(
  { ...Facts.properties, ...Person.properties },
  { additionalProperties: false },
);
export type StatedFacts = Static<typeof StatedFacts>;

/**
 * Text that a person typed or a tool printed. Members that the normaliser does not know are kept under `extensions`, as
 * the source spelled them.
 */
export type Content = JsonObject;

/** Record types of this version. Readers accept any text, because sources add events between releases. */
export const RECORD_TYPES = [
  'session.started',
  'session.ended',
  'prompt.submitted',
  'turn.ended',
  'tool.requested',
  'tool.completed',
  'tool.failed',
  'tool.reported',
  'tool.decided',
  'tool.measured',
  'permission.requested',
  'permission.denied',
  'permission.mode_changed',
  'model.called',
  'model.failed',
  'model.answered',
  'message.observed',
  'config.resolved',
  'config.changed',
  'hook.registered',
  'hook.started',
  'hook.executed',
  'extension.loaded',
  'mcp.connected',
  'subagent.started',
  'subagent.ended',
  'auth.observed',
  'change.pushed',
  'change.proposed',
  'change.updated',
  'change.merged',
  'change.closed',
  'change.reviewed',
  'change.checked',
  'change.deployed',
  'protection.changed',
  'access.changed',
  'identity.joined',
  'identity.left',
  'identity.role_granted',
  'identity.role_revoked',
  'identity.key_created',
  'identity.key_revoked',
  'identity.changed',
  'identity.expected',
  'identity.excused',
  'administration.changed',
  'collector.pulled',
  'metric.observed',
  'span.observed',
  'event.observed',
  'guard.decided',
  'collector.heartbeat',
  'collector.loss',
  'canary.sent',
  'archive.probed',
  'archive.tampered',
  'ingest.counted',
  'event_log.gap',
  'event_log.replaced',
  'clock.stepped',
  'partition.parked',
  'key.rotated',
  'generation.begun',
  'quarantined',
] as const;

export const RecordType = Type.String({ pattern: '^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*$', maxLength: 64 });

/** The family of sources that reported a record; `seen_by` of a tool call lists those that saw the call. */
export const RecordSource = Type.Union([
  Type.Literal('hook'),
  Type.Literal('otel'),
  Type.Literal('gateway'),
  Type.Literal('transcript'),
  Type.Literal('forge'),
  Type.Literal('identity'),
  Type.Literal('native'),
  Type.Literal('affidavit'),
]);
export type RecordSource = Static<typeof RecordSource>;

/** No escape is needed where it stands in canonical JSON. */
export const Principal = Type.String({
  pattern: '^[a-z0-9-]{1,64}$',
  description: 'keyed surrogate of the collector',
});

/** The normalised audit record: one shape for every source. docs/formats/record.md explains each member. */
export const AuditRecordHeader = Type.Object({
  id: HashHex,
  type: RecordType,
  source: RecordSource,
  retention_class: RecordClass,
  principal: Principal,
  subject: Type.Union([HashHex, Type.Null()], {
    description:
      'keyed hash of the claimed person; the leaf holds the random surrogate that the key store has for it',
  }),
  key_owner: Type.Union([HashHex, Type.Null()], {
    description:
      'keyed hash of the one whose key encrypts person and content: the claimed person, else the session; null: the class',
  }),
  received_at: InstantUtc,
});

export interface AuditRecord extends Static<typeof AuditRecordHeader> {
  readonly facts: Facts;
  /** Null where the source names nobody. */
  readonly person: Person | null;
  readonly content: Content | null;
}
