/**
 * Tests how a store really behaves, on a throw-away prefix. In: a bucket. Out: one finding per property. Several servers
 * answer as if they locked and do not, so a finding rests on the objects that can be read afterwards.
 */
import { ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import type { Clock } from '../../../schemas/clock.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import {
  buildProbeReport,
  PROBES,
  type ProbeCode,
  type ProbeFinding,
  type ProbeReport,
} from '../../../schemas/probe.ts';
import { checkArchivePrefix } from '../archive-key.ts';
import type { S3Bucket } from './client.ts';
import {
  attempt,
  CannotTry,
  deleteVersion,
  refusalOf,
  type Observation,
  type Trial,
} from './probe-specimen.ts';
import { TRIALS } from './probe-trials.ts';
import { headVersion } from './stored-version.ts';
import { requireBucket } from './versions.ts';

interface ProbeOptions {
  /** `quick` waits for nothing; `full` also waits for its locks to run out, and deletes its objects then. */
  readonly part: ProbeReport['part'];
  readonly endpoint?: string | undefined;
  /** Prefix of the archive. The probe writes to `PROBE_FOLDER` below it, which no key of an archive can name. */
  readonly prefix?: string | undefined;
  /** Unique name of this probe. */
  readonly id: string;
  readonly clock: Clock;
  readonly sleep: (ms: number) => Promise<void>;
  /** How long the objects of the probe are locked; must outlast the requests of one trial. @default 15000 */
  readonly lockMs?: number | undefined;
  readonly onStep?: ((name: string) => void) | undefined;
}

/** Below the prefix of an archive. Nothing in it is evidence. */
export const PROBE_FOLDER = '.affidavit-probe/';
/** How long the probe locks the objects of its trials. */
const LOCK_MS = 15_000;
/** These trials wait for a lock to run out; the others run meanwhile. */
const WAITING: ReadonlySet<ProbeCode> = new Set(['legal_hold_kept', 'deletable_after_expiry']);
/** A store may keep a lock for a moment longer than its date. */
const EXPIRY_GRACE_MS = 2_000;

/**
 * Runs all trials of the part. Rejects with ARCHIVE_UNAVAILABLE where the store does not answer or the bucket does not
 * exist: that says nothing about its locks. A property that could not be tried counts as not held.
 */
export async function probeStore(bucket: S3Bucket, options: ProbeOptions): Promise<ProbeReport> {
  const { part, endpoint, prefix = '', id, clock, sleep, lockMs = LOCK_MS } = options;
  checkArchivePrefix(prefix);
  const trial: Trial = { bucket, prefix: `${prefix}${PROBE_FOLDER}${id}/`, clock, sleep, lockMs };
  await requireBucket(bucket, trial.prefix);
  const probedAtMs = clock();
  const codes = (Object.keys(PROBES) as ProbeCode[]).filter(
    (code) => part === 'full' || PROBES[code].part === 'quick',
  );
  const findings = await tryAll(trial, codes, options.onStep);
  options.onStep?.('tidying up');
  const left_behind = await tidyUp(trial, part === 'full');
  return buildProbeReport({
    part,
    endpoint: endpoint ?? null,
    bucket: bucket.bucket,
    prefix: trial.prefix,
    probedAtMs,
    duration_ms: Math.max(0, clock() - probedAtMs),
    findings,
    left_behind,
  });
}

async function tryAll(
  trial: Trial,
  codes: readonly ProbeCode[],
  onStep: ProbeOptions['onStep'],
): Promise<ProbeFinding[]> {
  const findings = new Map<ProbeCode, ProbeFinding>();
  const find = async (code: ProbeCode) => {
    const { name, expected } = PROBES[code];
    findings.set(code, { code, name, expected, ...(await tryOne(trial, code)) });
  };
  const inTurn = async () => {
    for (const code of codes.filter((each) => !WAITING.has(each))) {
      onStep?.(PROBES[code].name);
      await find(code);
    }
    onStep?.('waiting for locks to run out');
  };
  await Promise.all([inTurn(), ...codes.filter((code) => WAITING.has(code)).map(find)]);
  return codes.flatMap((code) => findings.get(code) ?? []);
}

async function tryOne(trial: Trial, code: ProbeCode): Promise<Observation> {
  try {
    return await TRIALS[code](trial);
  } catch (error) {
    if (error instanceof PipelineError && error.code === 'ARCHIVE_UNAVAILABLE') throw error;
    const reason =
      error instanceof CannotTry || error instanceof PipelineError ? error.message : refusalOf(error);
    return { ok: false, observed: `could not be tried: ${reason}` };
  }
}

/** Deletes the objects of the probe as far as the store allows; `isPatient` waits for the last lock. Resolves the rest. */
async function tidyUp(trial: Trial, isPatient: boolean): Promise<ProbeReport['left_behind']> {
  let left = await deleteAll(trial);
  if (isPatient && left.length > 0) {
    const ends = left.map(({ retain_until }) => (retain_until === null ? 0 : Date.parse(retain_until)));
    const longestMs = trial.lockMs + EXPIRY_GRACE_MS * 2;
    const waitMs = Math.max(...ends) + EXPIRY_GRACE_MS - trial.clock();
    await trial.sleep(Math.min(Math.max(waitMs, 0), longestMs));
    left = await deleteAll(trial);
  }
  return left;
}

async function deleteAll(trial: Trial): Promise<ProbeReport['left_behind']> {
  for (const { Key: key, VersionId: versionId, isMarker } of await everything(trial)) {
    if (key !== undefined && versionId !== undefined) {
      await attempt(() => deleteVersion(trial, { key, versionId }, { isBypassing: !isMarker }));
    }
  }
  const left = [];
  for (const { Key: key = '', VersionId: version_id = '', isMarker } of await everything(trial)) {
    const stored = isMarker ? undefined : await headVersion(trial.bucket, key, version_id);
    left.push({ key, version_id, retain_until: stored?.lock?.retain_until ?? null });
  }
  return left;
}

/** The few dozen versions of one probe fit into one page. */
async function everything({ bucket: { client, bucket }, prefix }: Trial) {
  const page = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix }));
  const versions = (page.Versions ?? []).map((each) => ({ ...each, isMarker: false }));
  const markers = (page.DeleteMarkers ?? []).map((each) => ({ ...each, isMarker: true }));
  return [...versions, ...markers];
}
