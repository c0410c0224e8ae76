/** One trial per property of a store. Each trial makes objects for itself, so that no trial spoils another. */
import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  PutObjectLegalHoldCommand,
} from '@aws-sdk/client-s3';
import { toInstant } from '../../../schemas/clock.ts';
import type { ProbeCode } from '../../../schemas/probe.ts';
import type { ArchiveLock } from '../../../schemas/archive-lock.ts';
import {
  attempt,
  changeRetention,
  deleteVersion,
  deleteWithMany,
  isStillLocked,
  isStillRead,
  lockedSpecimen,
  putSpecimen,
  describeAttempt,
  type Attempt,
  type Observation,
  type Specimen,
  type Trial,
} from './probe-specimen.ts';
import { headVersion, readVersion } from './stored-version.ts';
import { versionsOf } from './versions.ts';

/** The store's clock, which decides when a lock has run out, may be behind ours. */
const LONGEST_EXPIRY_MS = 60_000;
/** How often a trial looks whether a lock has run out. */
const POLL_MS = 1_000;
/** The probe does not repeat: it wants the store's behaviour at the first attempt. */
const ONCE = {
  limits: { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0 },
  random: () => 0,
  sleep: () => Promise.resolve(),
};

export const TRIALS: Readonly<Record<ProbeCode, (trial: Trial) => Promise<Observation>>> = {
  versioning: tryVersioning,
  lock_configured: tryLockConfiguration,
  create_only: (trial) => tryCreateOnly(trial, 'create-only', 2),
  lock_kept: tryLock,
  locked_delete_refused: (trial) => tryDelete(trial, 'delete', (specimen) => deleteVersion(trial, specimen)),
  shortening_refused: (trial) => tryRelock(trial, 'shorten', 'compliance'),
  create_only_concurrent: (trial) => tryCreateOnly(trial, 'create-only-16', 16),
  multi_delete_refused: tryMultiDelete,
  bypass_delete_refused: (trial) =>
    tryDelete(trial, 'bypass', (specimen) => deleteVersion(trial, specimen, { isBypassing: true })),
  governance_delete_refused: async (trial) => {
    const specimen = await lockedSpecimen(trial, 'governance', 'governance');
    return afterDelete(trial, specimen, await attempt(() => deleteVersion(trial, specimen)));
  },
  mode_change_refused: (trial) => tryRelock(trial, 'mode', 'governance'),
  marker_hides_nothing: tryMarker,
  legal_hold_kept: tryLegalHold,
  deletable_after_expiry: tryExpiry,
};

async function tryVersioning(trial: Trial): Promise<Observation> {
  const { client, bucket } = trial.bucket;
  const ids = [
    await putSpecimen(trial, 'versions', { text: 'first' }),
    await putSpecimen(trial, 'versions', { text: 'second' }),
  ];
  const key = `${trial.prefix}versions`;
  const texts: string[] = [];
  for (const id of ids) if (id !== undefined) texts.push(await textOf(trial, key, id));
  let status = '';
  const configured = await attempt(async () => {
    const answer = await client.send(new GetBucketVersioningCommand({ Bucket: bucket }));
    status = answer.Status ?? 'never enabled';
  });
  const observed = `${String(new Set(ids).size)} versions, read as ${texts.join(' and ') || 'nothing'}; versioning ${
    configured.isDone ? status : `could not be read, ${configured.answer}`
  }`;
  return { ok: texts.join() === 'first,second', observed };
}

async function tryLockConfiguration({ bucket: { client, bucket } }: Trial): Promise<Observation> {
  let enabled: string | undefined;
  const made = await attempt(async () => {
    const answer = await client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }));
    enabled = answer.ObjectLockConfiguration?.ObjectLockEnabled;
  });
  const observed = made.isDone ? `object lock is ${enabled ?? 'not enabled'}` : describeAttempt(made);
  return { ok: enabled === 'Enabled', observed };
}

async function tryCreateOnly(trial: Trial, name: string, writers: number): Promise<Observation> {
  const texts = Array.from({ length: writers }, (_, index) => `writer ${String(index)}`);
  const attempts = await Promise.all(
    texts.map((text) => attempt(() => putSpecimen(trial, name, { text, isCreateOnly: true }))),
  );
  const winners = texts.filter((_, index) => attempts[index]?.isDone);
  const key = `${trial.prefix}${name}`;
  const found = await versionsOf(trial.bucket, ONCE, key);
  const versions = found?.versions ?? [];
  const kept = versions[0] === undefined ? '' : await textOf(trial, key, versions[0].versionId);
  const refusals = [...new Set(attempts.flatMap((each) => (each.isDone ? [] : [each.answer])))];
  return {
    ok: winners.length === 1 && versions.length === 1 && kept === winners[0],
    observed: `${String(winners.length)} of ${String(writers)} created, ${String(versions.length)} versions${
      refusals.length === 0 ? '' : `; the others ${refusals.join(', ')}`
    }`,
  };
}

async function tryLock(trial: Trial): Promise<Observation> {
  const specimen = await lockedSpecimen(trial, 'lock');
  const { lock, sizeBytes, checksum } = await headVersion(trial.bucket, specimen.key, specimen.versionId);
  const isLocked = await isStillLocked(trial, specimen);
  const isWhole = sizeBytes === specimen.text.length && (await isStillRead(trial, specimen));
  return {
    ok: isLocked && isWhole,
    observed: `${lock?.mode ?? 'no lock'}${lock === undefined ? '' : ` until ${lock.retain_until}`}, ${String(
      sizeBytes,
    )} bytes, ${checksum === undefined ? 'no checksum' : 'checksum kept'}`,
  };
}

async function tryDelete(
  trial: Trial,
  name: string,
  work: (specimen: Specimen) => Promise<unknown>,
): Promise<Observation> {
  const specimen = await lockedSpecimen(trial, name);
  return afterDelete(trial, specimen, await attempt(() => work(specimen)));
}

async function afterDelete(trial: Trial, specimen: Specimen, made: Attempt): Promise<Observation> {
  const ok = await isStillRead(trial, specimen);
  return { ok, observed: `delete ${describeAttempt(made)}; the version is ${ok ? 'still read' : 'gone'}` };
}

async function tryMultiDelete(trial: Trial): Promise<Observation> {
  const specimens = [await lockedSpecimen(trial, 'many-1'), await lockedSpecimen(trial, 'many-2')];
  let answer = '';
  const made = await attempt(async () => (answer = await deleteWithMany(trial, specimens)));
  let read = 0;
  for (const specimen of specimens) if (await isStillRead(trial, specimen)) read += 1;
  return {
    ok: read === specimens.length,
    observed: `${made.isDone ? answer : describeAttempt(made)}; ${String(read)} of ${String(specimens.length)} versions still read`,
  };
}

/** Tries a weaker lock, first plainly, then with bypass. */
async function tryRelock(trial: Trial, name: string, mode: ArchiveLock['mode']): Promise<Observation> {
  const specimen = await lockedSpecimen(trial, name);
  const sooner = toInstant(Math.ceil((trial.clock() + trial.lockMs / 2) / 1000) * 1000);
  const retain_until = mode === 'compliance' ? sooner : specimen.lock.retain_until;
  const said: string[] = [];
  for (const isBypassing of [false, true]) {
    const made = await attempt(() =>
      changeRetention(trial, specimen, { lock: { mode, retain_until }, isBypassing }),
    );
    said.push(`${isBypassing ? 'with bypass ' : ''}${describeAttempt(made)}`);
  }
  const { lock } = await headVersion(trial.bucket, specimen.key, specimen.versionId);
  const ok = await isStillLocked(trial, specimen);
  const state = ok
    ? 'lock as it was'
    : `lock is now ${lock?.mode ?? 'gone'} until ${lock?.retain_until ?? '-'}`;
  return { ok, observed: `change ${said.join(', ')}; ${state}` };
}

/** Stores differ in whether a put over a marker adds a version. Both are good as long as the first version stays. */
async function tryMarker(trial: Trial): Promise<Observation> {
  const { client, bucket } = trial.bucket;
  const specimen = await lockedSpecimen(trial, 'marker');
  const marked = await attempt(() =>
    client.send(new DeleteObjectCommand({ Bucket: bucket, Key: specimen.key })),
  );
  const over = await attempt(() => putSpecimen(trial, 'marker', { text: 'over', isCreateOnly: true }));
  const found = await versionsOf(trial.bucket, ONCE, specimen.key);
  const isFirst = found?.versions[0]?.versionId === specimen.versionId;
  const ok = isFirst && (await isStillRead(trial, specimen));
  return {
    ok,
    observed: `delete without version ${describeAttempt(marked)}, create-only put over it ${describeAttempt(over)}; the first version is ${
      ok ? 'still listed first and read' : 'hidden or gone'
    }`,
  };
}

async function tryLegalHold(trial: Trial): Promise<Observation> {
  const { client, bucket } = trial.bucket;
  const specimen = await lockedSpecimen(trial, 'hold');
  const { key: Key, versionId: VersionId } = specimen;
  const hold = (Status: 'ON' | 'OFF') =>
    client.send(new PutObjectLegalHoldCommand({ Bucket: bucket, Key, VersionId, LegalHold: { Status } }));
  const held = await attempt(() => hold('ON'));
  // A second object with the same date shows when the date has passed for the store as well.
  const companion = await lockedSpecimen(trial, 'hold-companion');
  const waited = await untilDeletable(trial, companion);
  const made = await attempt(() => deleteVersion(trial, specimen, { isBypassing: true }));
  const ok = held.isDone && waited !== undefined && (await isStillRead(trial, specimen));
  await attempt(() => hold('OFF'));
  return {
    ok,
    observed: `hold ${describeAttempt(held)}, delete after the date ${describeAttempt(made)}; the version is ${
      ok ? 'still read' : 'gone, or its date never passed'
    }`,
  };
}

async function tryExpiry(trial: Trial): Promise<Observation> {
  const specimen = await lockedSpecimen(trial, 'expiry');
  const waitedMs = await untilDeletable(trial, specimen);
  return waitedMs === undefined
    ? { ok: false, observed: `still there ${String(LONGEST_EXPIRY_MS / 1000)} s after its date` }
    : { ok: true, observed: `deleted ${String(Math.ceil(waitedMs / 1000))} s after its date` };
}

/** Waits for the lock to run out, then deletes as soon as the store allows it. Undefined where it never does. */
async function untilDeletable(trial: Trial, specimen: Specimen): Promise<number | undefined> {
  const endMs = Date.parse(specimen.lock.retain_until);
  await trial.sleep(Math.max(0, endMs - trial.clock()));
  while (trial.clock() - endMs < LONGEST_EXPIRY_MS) {
    await attempt(() => deleteVersion(trial, specimen));
    if (!(await isStillRead(trial, specimen))) return trial.clock() - endMs;
    await trial.sleep(POLL_MS);
  }
  return undefined;
}

async function textOf({ bucket }: Trial, key: string, versionId: string): Promise<string> {
  return (await readVersion(bucket, key, versionId)).bytes.toString();
}
