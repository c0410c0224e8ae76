import { Type, type Static } from 'typebox';
import type { NativeEvent } from './native-event.ts';
import { InstantUtc } from './primitives.ts';

/**
 * Somebody wrote to a key of the archive that was written already, or hid it. What the archive reads stays
 * `truth_version_id`, the first version that carries a lock; null if there is none.
 */
export const ArchiveTampering = Type.Object({
  v: Type.Literal(1),
  kind: Type.Union([
    Type.Literal('second_version'),
    Type.Literal('delete_marker'),
    Type.Literal('lock_missing'),
  ]),
  endpoint: Type.Union([Type.String(), Type.Null()], { description: 'null for AWS itself' }),
  bucket: Type.String(),
  prefix: Type.String({ description: 'of the archive in the bucket' }),
  truth_version_id: Type.Union([Type.String(), Type.Null()]),
  other_version_ids: Type.Array(Type.String(), {
    description: 'versions or markers that should not be there',
  }),
  found_at: InstantUtc,
});
export type ArchiveTampering = Static<typeof ArchiveTampering>;

/**
 * The finding as a record of the system's own, in the shape of `/v1/events`. A process tells each finding once; what
 * is still there after its next start is told again, as found then.
 */
export function toTamperingEvent(
  key: string,
  finding: ArchiveTampering,
): NativeEvent & { readonly content: ArchiveTampering & { readonly key: string } } {
  return {
    type: 'archive.tampered',
    occurred_at: finding.found_at,
    facts: { success: false, reason: finding.kind },
    content: { key, ...finding },
  };
}
