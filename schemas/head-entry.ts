import { Type, type Static } from 'typebox';
import { HashHex, InstantUtc, SafeCount } from './primitives.ts';

/** Short name of the head log in keys. No log of records has it. */
export const HEAD_LOG = 'heads';

/**
 * The newest published head of one log. `note_sha256` is of the checkpoint object, the whole signed note; a log without a
 * checkpoint has the size 0, the root of the empty tree and no note.
 */
export const NamedHead = Type.Object(
  {
    log: Type.String({ pattern: '^[A-Za-z0-9_][A-Za-z0-9._-]*$', description: 'short name, e.g. `p0`' }),
    origin: Type.String({ pattern: '^[^\\s+]+$' }),
    tree_size: SafeCount,
    root_hash: HashHex,
    note_sha256: Type.Optional(HashHex),
  },
  { additionalProperties: false },
);
export type NamedHead = Static<typeof NamedHead>;

/**
 * One leaf of the head log: the newest head of every log of the deployment, rising by `log`, each log once. The canonical
 * JSON is hashed. `taken_at` is the instant by the clock of the writer at which the heads were read.
 */
export const HeadEntry = Type.Object(
  { v: Type.Literal(1), taken_at: InstantUtc, heads: Type.Array(NamedHead) },
  { additionalProperties: false },
);
export type HeadEntry = Static<typeof HeadEntry>;

/** Whether the heads rise by the names of their logs, so that an entry has one spelling and names no log twice. */
export function isOrdered({ heads }: Pick<HeadEntry, 'heads'>): boolean {
  return heads.every(({ log }, position) => position === 0 || (heads[position - 1]?.log ?? '') < log);
}
