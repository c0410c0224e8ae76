import { Type, type Static } from 'typebox';
import { ClaimedInstant } from './primitives.ts';
import { StatedFacts, RecordType } from './record.ts';

/** Collector id of the program itself; no credential may carry it. */
export const OWN_COLLECTOR = 'affidavit';

/**
 * StatedFacts that a sender of `/v1/events` may state. Left out are facts that the receiver knows better (collector, source
 * event), members of the event beside its facts, and facts that only this program writes.
 */
export const NativeFacts = Type.Omit(
  StatedFacts,
  [
    'source_event',
    'collector',
    'occurred_at',
    'session_id',
    'quarantine_reason',
    'quarantine_pointer',
    'body_sha256',
    'envelope_count',
    'repeat_count',
    'dead_letter_count',
    'event_log',
    'previous_event_log',
    'writer',
    'first_number',
    'last_number',
    'missing_since',
    'old_vkey',
    'new_vkey',
    'new_package_key',
    'generation',
    'previous_origin',
    'trusted_tree_size',
    'trusted_root_hash',
  ],
  { additionalProperties: false },
);
export type NativeFacts = Static<typeof NativeFacts>;

/** One record in the system's own shape, as `/v1/events` takes it. Other members are kept under extensions. */
export const NativeEvent = Type.Object({
  type: RecordType,
  session_id: Type.Optional(Type.String({ maxLength: 256 })),
  event_id: Type.Optional(Type.String({ maxLength: 256, description: 'stable across resends' })),
  occurred_at: Type.Optional(ClaimedInstant),
  facts: Type.Optional(NativeFacts),
  content: Type.Optional(Type.Object({})),
});
export type NativeEvent = Static<typeof NativeEvent>;
