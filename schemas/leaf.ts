import { Type, type Static } from 'typebox';
import { Subject } from './data-key.ts';
import { HashBase64Url, HashHex, InstantUtc } from './primitives.ts';
import { Principal, RecordSource, RecordType } from './record.ts';
import { RecordClass } from './retention.ts';

function partOf<Name extends string>(name: Name) {
  return Type.Object({ name: Type.Literal(name), digest: HashBase64Url }, { additionalProperties: false });
}

/**
 * The parts of a record by name, each with its digest: the facts always, content and person where the record has them.
 */
export const LeafParts = Type.Union([
  Type.Tuple([partOf('facts')]),
  Type.Tuple([partOf('content'), partOf('facts')]),
  Type.Tuple([partOf('facts'), partOf('person')]),
  Type.Tuple([partOf('content'), partOf('facts'), partOf('person')]),
]);
export type LeafParts = Static<typeof LeafParts>;

/**
 * The leaf of a record, version 1: canonical JSON of exactly these members is hashed into the tree. It can never be
 * erased, so it holds no personal data: surrogates are keyed, and the digest of a part covers a salt.
 */
export const Leaf = Type.Object(
  {
    v: Type.Literal(1),
    id: HashHex,
    type: RecordType,
    source: RecordSource,
    received_at: InstantUtc,
    principal: Principal,
    subject: Type.Union([Subject, Type.Null()]),
    retention_class: RecordClass,
    parts: LeafParts,
  },
  { additionalProperties: false },
);
export type Leaf = Static<typeof Leaf>;
