import { Type, type Static } from 'typebox';
import type { JsonObject } from '../../schemas/json.ts';
import { ClaimedInstant, HashHex, InstantUtc, SafeCount } from '../../schemas/primitives.ts';
import { RecordClass } from '../../schemas/retention.ts';
import { Facts, Person, RecordSource, RecordType } from '../../schemas/record.ts';
import type { RecordRow } from '../../store/records/record-store.ts';

/** A record as the API shows it: its facts, its person, its content where asked for, and its place in the log. */
export const RecordView = Type.Object({
  id: HashHex,
  type: RecordType,
  source: RecordSource,
  log: Type.String(),
  leaf_index: SafeCount,
  received_at: InstantUtc,
  integrated_at: InstantUtc,
  occurred_at: Type.Union([ClaimedInstant, Type.Null({ description: 'the source did not say' })]),
  principal: Type.String(),
  subject: Type.Union([Type.String(), Type.Null()]),
  retention_class: RecordClass,
  facts: Facts,
  person: Type.Union([Person, Type.Null()], { description: 'null where the record names nobody' }),
  content: Type.Optional(
    Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()], {
      description: 'only with include=content; null where the record has none',
    }),
  ),
  leaf_hash: HashHex,
  chain_hash: Type.Optional(HashHex),
});

/** Query member of every route that shows records; `content` is the only value. */
export const IncludeContent = Type.Optional(
  Type.Array(Type.Literal('content'), {
    maxItems: 1,
    description: 'content: prompts, tool input and output',
  }),
);

/** The columns of a view; `content` only where it was asked for. */
export type RecordViewRow = Pick<
  RecordRow,
  | 'id'
  | 'type'
  | 'source'
  | 'log'
  | 'leaf_index'
  | 'received_at'
  | 'integrated_at'
  | 'principal'
  | 'subject'
  | 'retention_class'
  | 'facts'
  | 'person'
  | 'leaf_hash'
> & { readonly content?: string; readonly chain_hash?: string };

export interface RecordShown extends Omit<RecordViewRow, 'subject' | 'facts' | 'person' | 'content'> {
  readonly occurred_at: string | null;
  readonly subject: string | null;
  readonly facts: Static<typeof Facts>;
  readonly person: Static<typeof Person> | null;
  readonly content?: JsonObject | null;
}

/** Parts are read from the canonical text that was hashed, never from the columns derived from it. */
export function toRecordView(row: RecordViewRow): RecordShown {
  const facts = JSON.parse(row.facts) as Static<typeof Facts>;
  return {
    id: row.id,
    type: row.type,
    source: row.source,
    log: row.log,
    leaf_index: row.leaf_index,
    received_at: row.received_at,
    integrated_at: row.integrated_at,
    occurred_at: facts.occurred_at ?? null,
    principal: row.principal,
    subject: row.subject === '' ? null : row.subject,
    retention_class: row.retention_class,
    facts,
    person: row.person === '' ? null : (JSON.parse(row.person) as Static<typeof Person>),
    ...(row.content === undefined ? {} : { content: openContent(row.content) }),
    leaf_hash: row.leaf_hash,
    ...(row.chain_hash === undefined ? {} : { chain_hash: row.chain_hash }),
  };
}

function openContent(text: string): JsonObject | null {
  return text === '' ? null : (JSON.parse(text) as JsonObject);
}
