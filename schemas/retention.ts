import { Type, type Static } from 'typebox';
import type { PartKind } from './bundle.ts';
import { SafeCount } from './primitives.ts';

/** The classes of everything that is kept. Each has two clocks, which `retention.<class>` of the configuration sets. */
export const RETENTION_CLASSES = ['facts', 'person', 'content', 'file', 'admin', 'package', 'proof'] as const;
export type RetentionClass = (typeof RETENTION_CLASSES)[number];

/** Days of the lock of each class. */
export const ArchiveDays = Type.Object(
  {
    admin: SafeCount,
    content: SafeCount,
    facts: SafeCount,
    file: SafeCount,
    package: SafeCount,
    person: SafeCount,
    proof: SafeCount,
  } satisfies Record<RetentionClass, unknown>,
  { additionalProperties: false },
);

/**
 * The class of a record, which its leaf names as `retention_class`. `content` and `file` are the class of its content;
 * `admin` is the class of all its parts.
 */
export const RecordClass = Type.Union([Type.Literal('content'), Type.Literal('file'), Type.Literal('admin')]);
export type RecordClass = Static<typeof RecordClass>;

export const RECORD_CLASSES: readonly RecordClass[] = RecordClass.anyOf.map((one) => one.const);

/** The class of a part. */
export const PartClass = Type.Union([Type.Literal('facts'), Type.Literal('person'), ...RecordClass.anyOf]);
export type PartClass = Static<typeof PartClass>;

/** The class of one part of a record. Pure: kind and leaf decide it, so it needs no place in the record. */
export function classOfPart(kind: PartKind, recordClass: RecordClass): PartClass {
  if (recordClass === 'admin') return 'admin';
  return kind === 'content' ? recordClass : kind;
}
