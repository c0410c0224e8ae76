import { Type, type Static } from 'typebox';
import { InstantUtc, SafeCount } from './primitives.ts';
import type { FailureCode } from './verification-failures.ts';

export const VerificationFailure = Type.Object({
  code: Type.Unsafe<FailureCode>(Type.String({ description: 'closed list in docs/formats/verification.md' })),
  index: Type.Union([SafeCount, Type.Null()], { description: 'first leaf index that is broken, if one is' }),
  detail: Type.String(),
});
export type VerificationFailure = Static<typeof VerificationFailure>;

/** A finding that is not a failure, e.g. remains of an interrupted writer, or data that could not be compared. */
export const VerificationNotice = Type.Object({
  code: Type.Union([
    Type.Literal('unpublished_tail'),
    Type.Literal('leftover'),
    Type.Literal('kept_checkpoint_not_comparable'),
    Type.Literal('store_lag'),
    Type.Literal('content_absent'),
    Type.Literal('store_not_compared'),
    Type.Literal('log_unnamed_yet'),
    Type.Literal('head_log_behind'),
    Type.Literal('untrusted_tail'),
  ]),
  index: Type.Union([SafeCount, Type.Null()]),
  detail: Type.String(),
});
export type VerificationNotice = Static<typeof VerificationNotice>;

/**
 * The result of a verification, on separate axes. `tree_size` and `root_hash` are recomputed for an archive, and
 * those of the signed checkpoint for a package; null where they could not be established. The head log is not among
 * the logs they count; `head_log` is about it, null where there is none. `signed_tree_size` leaves lie
 * under a good signature; more than that only where a bundle is not published yet. `synthetic` is the mark in the genesis:
 * made for tests or shows, evidence of nothing. In an archive of several logs it is true where one of them is marked, and
 * null where no genesis reads.
 */
export const VerificationReport = Type.Object({
  ok: Type.Boolean(),
  kind: Type.Union([
    Type.Literal('archive'),
    Type.Literal('package'),
    Type.Literal('record_store'),
    Type.Null(),
  ]),
  integrity: Type.Union([Type.Literal('intact'), Type.Literal('broken')]),
  anchoring: Type.Union([
    Type.Literal('signed'),
    Type.Literal('signed_by_pinned_key'),
    Type.Literal('unsigned'),
    Type.Literal('broken'),
  ]),
  completeness: Type.Union([
    Type.Literal('complete'),
    Type.Literal('incomplete'),
    Type.Literal('not_assessed'),
  ]),
  disclosure: Type.Union([
    Type.Literal('sealed'),
    Type.Literal('opened'),
    Type.Literal('opened_except_erased'),
    Type.Literal('facts_only'),
    Type.Literal('none'),
  ]),
  synthetic: Type.Union([Type.Boolean(), Type.Null()]),
  frames: Type.Union([
    Type.Object({
      opened: SafeCount,
      sealed: Type.Integer({ minimum: 0, description: 'not opened: no key store was given' }),
      destroyed: Type.Integer({ minimum: 0, description: 'not opened: their key was destroyed' }),
    }),
    Type.Null(),
  ]),
  /** Logs of records that continue others under new keys. */
  continues: Type.Array(
    Type.Object({
      origin: Type.String(),
      generation: SafeCount,
      previous_origin: Type.String(),
      trusted_tree_size: SafeCount,
      trusted_root_hash: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
  tree_size: Type.Union([SafeCount, Type.Null()]),
  root_hash: Type.Union([Type.String(), Type.Null()]),
  signed_tree_size: SafeCount,
  head_log: Type.Union([
    Type.Object({
      entry_count: SafeCount,
      root_hash: Type.Union([Type.String(), Type.Null()]),
      taken_at: Type.Union([InstantUtc, Type.Null()]),
    }),
    Type.Null(),
  ]),
  /** Ascending by index, those without one last; more than a thousand are cut off. */
  failures: Type.Array(VerificationFailure),
  notices: Type.Array(VerificationNotice),
});
export type VerificationReport = Static<typeof VerificationReport>;
