import { Type, type Static } from 'typebox';
import { toInstant } from './clock.ts';
import type { NativeEvent } from './native-event.ts';
import { InstantUtc, SafeCount } from './primitives.ts';

interface ProbeEntry {
  readonly part: 'quick' | 'full';
  readonly name: string;
  readonly expected: string;
  /** Consequence if the store does not behave as expected. */
  readonly meaning: string;
  readonly action: string;
}

const OTHER_STORE = 'use another store';
const CREATION_ACTION =
  'use another store, or set s3.dangerously_single_sequencer if only one sequencer will ever write to this bucket';

/** Every trial of a store, in order. Codes are append-only; docs/runbook.md explains them. */
export const PROBES = {
  versioning: {
    part: 'quick',
    name: 'versions are kept',
    expected: 'a second put makes a second version, and both are read',
    meaning: 'an overwritten object is lost',
    action: 'enable versions; a bucket that has object lock has them',
  },
  lock_configured: {
    part: 'quick',
    name: 'the bucket has object lock',
    expected: 'object lock is enabled',
    meaning: 'the bucket has no object lock, or the credentials may not see it',
    action: 'make a bucket with object lock, or grant s3:GetBucketObjectLockConfiguration',
  },
  create_only: {
    part: 'quick',
    name: 'creation is exclusive among two writers',
    expected: 'one of 2 creates, and there is one version, its own',
    meaning: 'two writers can both believe that they created an object, so two sequencers could fork the log',
    action: CREATION_ACTION,
  },
  lock_kept: {
    part: 'quick',
    name: 'a put keeps its lock',
    expected: 'mode, date, size and checksum as they were given',
    meaning: 'the store accepts a lock and does not show it',
    action: 'grant s3:GetObjectRetention; if that is granted, use another store',
  },
  locked_delete_refused: {
    part: 'quick',
    name: 'a locked version cannot be deleted',
    expected: 'the version is still read',
    meaning: 'locked objects can be deleted',
    action: `${OTHER_STORE}: this is not object lock`,
  },
  shortening_refused: {
    part: 'quick',
    name: 'a lock cannot be shortened',
    expected: 'mode and date as they were, also with bypass',
    meaning: 'everybody who can write can shorten a lock and then delete',
    action: OTHER_STORE,
  },
  create_only_concurrent: {
    part: 'full',
    name: 'creation is exclusive among sixteen writers',
    expected: 'one of 16 creates, and there is one version, its own',
    meaning: 'two writers can both believe that they created an object, so two sequencers could fork the log',
    action: CREATION_ACTION,
  },
  multi_delete_refused: {
    part: 'full',
    name: 'a locked version cannot be deleted by a request for many',
    expected: 'the version is still read',
    meaning: 'locked objects can be deleted',
    action: `${OTHER_STORE}: this is not object lock`,
  },
  bypass_delete_refused: {
    part: 'full',
    name: 'a locked version cannot be deleted with bypass',
    expected: 'the version is still read',
    meaning: 'locked objects can be deleted',
    action: `${OTHER_STORE}: this is not object lock`,
  },
  governance_delete_refused: {
    part: 'full',
    name: 'a version under governance cannot be deleted without bypass',
    expected: 'the version is still read',
    meaning: 'governance does not hold against plain credentials',
    action: 'use another store, or only the mode compliance',
  },
  mode_change_refused: {
    part: 'full',
    name: 'compliance cannot become governance',
    expected: 'mode and date as they were, also with bypass',
    meaning: 'everybody who can write can weaken a lock and then delete',
    action: OTHER_STORE,
  },
  marker_hides_nothing: {
    part: 'full',
    name: 'a delete marker hides no version',
    expected: 'the locked version is still listed and read behind a marker, and after a put over it',
    meaning: 'a delete marker or a put over it makes evidence unreadable',
    action: OTHER_STORE,
  },
  legal_hold_kept: {
    part: 'full',
    name: 'a legal hold outlives the date',
    expected: 'the held version is still read after a delete behind its date',
    meaning: 'a hold ends with the retention date',
    action: 'use another store where holds matter',
  },
  deletable_after_expiry: {
    part: 'full',
    name: 'a version can be deleted after its lock ends',
    expected: 'the version is gone after its date',
    meaning: 'expired versions cannot be deleted, so retention periods would never end',
    action:
      "look at the store's clock, at a default retention of the bucket, and at the rights of the credentials",
  },
} as const satisfies Record<string, ProbeEntry>;

export type ProbeCode = keyof typeof PROBES;

/** The result of one trial. `ok` is judged by the versions that exist afterwards, never by the code of an answer. */
export const ProbeFinding = Type.Object({
  code: Type.Unsafe<ProbeCode>(Type.String({ description: 'closed list in docs/runbook.md' })),
  name: Type.String(),
  ok: Type.Boolean(),
  expected: Type.String(),
  observed: Type.String(),
});
export type ProbeFinding = Static<typeof ProbeFinding>;

/** The results of all trials. `left_behind` are versions of the probe that it may not delete yet. */
export const ProbeReport = Type.Object({
  v: Type.Literal(1),
  ok: Type.Boolean(),
  part: Type.Union([Type.Literal('quick'), Type.Literal('full')]),
  endpoint: Type.Union([Type.String(), Type.Null()], { description: 'null for AWS itself' }),
  bucket: Type.String(),
  prefix: Type.String({ description: 'the prefix that this probe wrote below' }),
  probed_at: InstantUtc,
  duration_ms: SafeCount,
  findings: Type.Array(ProbeFinding),
  left_behind: Type.Array(
    Type.Object({
      key: Type.String(),
      version_id: Type.String(),
      retain_until: Type.Union([InstantUtc, Type.Null()]),
    }),
  ),
});
export type ProbeReport = Static<typeof ProbeReport>;

const CREATION: ReadonlySet<ProbeCode> = new Set(['create_only', 'create_only_concurrent']);

/**
 * The findings that forbid writing to this store. With `isSingleSequencer` a store without exclusive creation is
 * accepted: the operator vouches that no second process writes to the log.
 */
export function refusals(
  { findings }: Pick<ProbeReport, 'findings'>,
  { isSingleSequencer }: { readonly isSingleSequencer: boolean },
): ProbeFinding[] {
  return findings.filter(({ code, ok }) => !ok && !(isSingleSequencer && CREATION.has(code)));
}

/** The report as an event in the shape of `/v1/events`. */
export function toProbeEvent(report: ProbeReport): NativeEvent & { readonly content: ProbeReport } {
  const failed = report.findings.filter(({ ok }) => !ok).map(({ code }) => code);
  return {
    type: 'archive.probed',
    event_id: `${report.bucket}/${report.prefix}`,
    occurred_at: report.probed_at,
    facts: {
      success: report.ok,
      duration_ms: report.duration_ms,
      ...(failed.length === 0 ? {} : { reason: failed.join(', ') }),
    },
    content: report,
  };
}

/** The report of a probe from its findings, which are in the order of the trials. */
export function buildProbeReport(
  report: Omit<ProbeReport, 'v' | 'ok' | 'probed_at'> & { readonly probedAtMs: number },
): ProbeReport {
  const { part, endpoint, bucket, prefix, duration_ms, findings, left_behind } = report;
  const probed_at = toInstant(report.probedAtMs);
  const ok = findings.every((finding) => finding.ok);
  return { v: 1, ok, part, endpoint, bucket, prefix, probed_at, duration_ms, findings, left_behind };
}
