/** The genesis of a log, and what it and the bundles behind it say of each other. */
import { LogGenesis, type BundleHeader } from '../../schemas/bundle.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { isContinuationSound } from '../chain/continuation.ts';
import { isGenesisSigned, isOfOtherFormat, namesItsKey } from '../chain/genesis.ts';
import { bundleKey, genesisKey } from '../chain/layout.ts';
import { keepsFloor, type FlooredLock } from '../chain/lock-floor.ts';
import { checkLockHolds, readObject } from './archive-reader.ts';
import type { FoundGenesis, LogObjects, LogRun } from './log-run.ts';
import type { Findings } from './report.ts';
import { parseCanonical } from './shape.ts';

/**
 * SPEC (archive.md): canonical JSON and a newline; the vkey's name is the origin, and its key signed the genesis. Undefined
 * where it does not read, and `other_format` where this program cannot judge the log; both were reported.
 */
export async function readGenesis({
  reader,
  listing,
  findings,
}: LogObjects): Promise<FoundGenesis | 'other_format' | undefined> {
  const key = genesisKey(listing.log);
  const object = await readObject(reader, key, null, findings);
  if (object !== undefined && isOfOtherFormat(object.bytes)) {
    findings.fail('format_unknown', null, key);
    return 'other_format';
  }
  const text = object?.bytes.toString('utf8') ?? '';
  const genesis = text.endsWith('\n') ? parseCanonical(LogGenesis, text.slice(0, -1)) : undefined;
  const isSound = genesis !== undefined && namesItsKey(genesis) && isContinuationSound(genesis);
  if (object === undefined || !isSound) {
    findings.fail('genesis_malformed', null, key);
    return undefined;
  }
  const isSigned = isGenesisSigned(genesis);
  if (isSigned) {
    const { lock, created_at: at } = genesis;
    checkFloor(genesis, { key, index: null, lock, retentionClass: 'proof', at }, findings);
  } else findings.fail('genesis_unsigned', null, key);
  checkLockHolds(key, { lock: object.lock, signed: genesis.lock }, null, findings);
  return { genesis, sha256: object.sha256, isSigned };
}

/** The part of the progress of a log that these checks read and write. */
export interface SealingTimes {
  /** `integrated_at` of the newest bundle whose header the key signed. */
  integratedAt: string | undefined;
  /** Whether a bundle named another genesis: one failure is enough, however many bundles there are. */
  namedOther: boolean;
}

/** Holds a header that the key of the log signed against the genesis and the bundles before it. */
export function checkPromises(run: LogRun, times: SealingTimes, bundle: SealedLines): void {
  const { header } = bundle;
  checkTime(run, times, header);
  if (run.found?.isSigned !== true) return;
  checkNamedGenesis(run, times, header, run.found);
  checkFloors(run, bundle, run.found.genesis);
}

/** SPEC (archive.md): `integrated_at` never goes back, and the genesis is not younger than the first bundle. */
function checkTime({ listing, found, findings }: LogRun, times: SealingTimes, header: BundleHeader): void {
  const { start_index, integrated_at } = header;
  const before = times.integratedAt;
  times.integratedAt = integrated_at;
  const name = bundleKey(listing.log, start_index);
  if (before !== undefined && Date.parse(integrated_at) < Date.parse(before))
    findings.fail(
      'integrated_at_reversed',
      start_index,
      `${name} says ${integrated_at}, the bundle before ${before}`,
    );
  const createdAt = found?.isSigned === true && start_index === 0 ? found.genesis.created_at : undefined;
  if (createdAt !== undefined && Date.parse(integrated_at) < Date.parse(createdAt)) {
    const detail = `${genesisKey(listing.log)} says ${createdAt}, its first bundle ${integrated_at}`;
    findings.fail('genesis_postdated', null, detail);
  }
}

/** SPEC (archive.md): each header names the SHA-256 of the genesis object. */
function checkNamedGenesis(
  { listing, findings }: LogRun,
  times: SealingTimes,
  { start_index, genesis_sha256 }: BundleHeader,
  { sha256 }: FoundGenesis,
): void {
  if (genesis_sha256 === sha256 || times.namedOther) return;
  times.namedOther = true;
  const detail = `${genesisKey(listing.log)} has SHA-256 ${sha256}, ${bundleKey(listing.log, start_index)} names ${genesis_sha256}`;
  findings.fail('genesis_replaced', null, detail);
}

/** SPEC (archive.md): no signed lock ends before its floor, counted from `integrated_at`. */
function checkFloors(
  { listing, findings }: LogRun,
  { header, frames }: SealedLines,
  genesis: LogGenesis,
): void {
  const { start_index: index, integrated_at: at, lock } = header;
  checkFloor(
    genesis,
    { key: bundleKey(listing.log, index), index, lock, retentionClass: 'proof', at },
    findings,
  );
  for (const [position, { key, lock: signed }] of header.payloads.entries()) {
    const held = frames.filter(({ payload }) => payload === position);
    for (const retentionClass of new Set(held.map((frame) => frame.retention_class)))
      checkFloor(genesis, { key, index, lock: signed, retentionClass, at }, findings);
  }
}

/** Header and frames of a bundle. */
export interface SealedLines {
  readonly header: BundleHeader;
  readonly frames: readonly FrameRef[];
}

interface PromisedLock extends FlooredLock {
  readonly key: string;
  readonly index: number | null;
}

function checkFloor({ policy }: LogGenesis, promised: PromisedLock, findings: Findings): void {
  if (keepsFloor(policy, promised)) return;
  const { key, index, lock, retentionClass, at } = promised;
  const floor = `${String(policy.archive_days[retentionClass])} days from ${at} in mode ${policy.lock_mode}`;
  const detail = `${key} was signed under ${lock.mode} until ${lock.retain_until}; the genesis promises ${floor}`;
  findings.fail('lock_below_floor', index, detail);
}
