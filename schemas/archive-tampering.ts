import { Type, type Static } from 'typebox';
import type { NativeEvent } from './native-event.ts';
import { InstantUtc } from './primitives.ts';

/**
 * A finding that somebody wrote to a key of the archive again, or hid it. The archive reads `truth_version_id`, the
 * first locked version of the key; null if none is locked.
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
 * The finding as an event in the shape of `/v1/events`. A process reports each finding once, and again after a restart if
 * it still holds.
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
