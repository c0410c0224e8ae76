import { Type, type Static } from 'typebox';
import { HashHex, InstantUtc, RetentionClass } from './primitives.ts';
import { RecordSource, RecordType } from './record.ts';

/**
 * The leaf of a record, version 1: canonical JSON of exactly these members is hashed into the tree. It can never be
 * erased, so it holds no personal data: surrogates are keyed, commitments are salted, digests cover bytes that contain the salt.
 */
export const Leaf = Type.Object(
  {
    v: Type.Literal(1),
    id: HashHex,
    type: RecordType,
    source: RecordSource,
    received_at: InstantUtc,
    principal: Type.String(),
    subject: Type.Union([Type.String(), Type.Null()]),
    retention_class: RetentionClass,
    facts_commitment: HashHex,
    facts_digest: HashHex,
    content_commitment: Type.Union([HashHex, Type.Null()]),
    content_digest: Type.Union([HashHex, Type.Null()]),
  },
  { additionalProperties: false },
);
export type Leaf = Static<typeof Leaf>;
