/**
 * Finds the head of a log from its archive and brings the projections up to it. Refuses to go on where archive,
 * checkpoint, guard and key contradict each other.
 */
import type { LogGenesis } from '../../schemas/bundle.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { RETENTION_CLASSES } from '../../schemas/retention.ts';
import type { Checkpoint } from '../chain/checkpoint.ts';
import { genesisDigest } from '../chain/genesis.ts';
import { bundleKey, checkpointKey } from '../chain/layout.ts';
import { currentTerm, openCheckpointOf } from '../chain/key-history.ts';
import { keepsFloor } from '../chain/lock-floor.ts';
import { catchUp, checkChains, checkSizes, sizesOf } from './follow.ts';
import { requireGenesis } from './genesis.ts';
import { requireNewestKeys } from './newest-keys.ts';
import { readHead, readNewestHead, rootHashOf, type Head } from './head.ts';
import { bundleKeys, checkpointKeys, lastNumber } from './numbered-keys.ts';
import type { LedgerOptions } from './options.ts';

type SignedHead = Pick<Checkpoint, 'tree_size' | 'root_hash'>;

/** Throws START_REFUSED where anything is doubtful. When it resolves, all projections hold the whole log. */
export async function recoverHead(options: LedgerOptions): Promise<Head> {
  const { archive, log, guard, signer } = options;
  const genesis = await requireGenesis(archive, log);
  checkLocks(options, genesis);
  // Checkpoints and projections follow their bundle, so they are read before it: else one that another sequencer commits
  // in the meantime looks as if it were missing.
  const sizes = await sizesOf(options);
  const note = await newestNote(options);
  const guarded = await guard.latest(signer.name);
  const newest = await lastNumber(archive, bundleKeys(log));
  const head = await readHead({ archive, log, genesis }, newest);
  checkBinding(options, head, genesis);
  requireOwnKey(options, head);
  const published = note && openNote(note, head);
  const signed = [published, guarded];
  for (const signedHead of signed) if (signedHead !== undefined) checkSigned(options, head, signedHead);
  checkSizes(options, head, sizes);
  if (newest !== undefined) await requireNewestKeys(options, newest);
  if ((published?.tree_size ?? 0) < head.treeSize) await confirmNewest(options, head, newest);
  await checkChains(options, head, sizes);
  await catchUp(options, head, sizes);
  return head;
}

/**
 * A bundle that no checkpoint covers may be visible without being durable: its writer died before the archive answered. Its
 * bytes are put again, because that is answered only when they are durable. Else projections and a checkpoint could outlive it.
 */
async function confirmNewest(options: LedgerOptions, head: Head, start: number | undefined): Promise<void> {
  if (start === undefined) return;
  const { archive, log } = options;
  const key = bundleKey(log, start);
  const bytes = await archive.get(key);
  if (bytes === undefined) throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} is missing`);
  await archive.put(key, bytes, head.lock);
}

/** Throws START_REFUSED where the archive does not hold the log, or holds it under another key or origin. */
export async function checkLogKey({
  archive,
  log,
  signer,
}: Pick<LedgerOptions, 'archive' | 'log' | 'signer'>): Promise<void> {
  requireOwnKey({ log, signer }, await readNewestHead({ archive, log }));
}

/** The signer must hold the key of the next bundle; while the key changes, the old or the new signer does. */
function requireOwnKey(
  { log, signer, nextSigner }: Pick<LedgerOptions, 'log' | 'signer' | 'nextSigner'>,
  { keys }: Pick<Head, 'keys'>,
): void {
  const { vkey } = currentTerm(keys);
  if (vkey === signer.vkey || vkey === nextSigner?.vkey) return;
  throw new PipelineError(
    'START_REFUSED',
    `log ${log} belongs to key ${vkey}, the configured signer is another`,
  );
}

/** One key can sign two geneses, so the newest bundle must name the one that is there. */
function checkBinding({ log }: LedgerOptions, head: Head, genesis: LogGenesis): void {
  if (head.genesisSha256 === genesisDigest(genesis)) return;
  throw new PipelineError(
    'START_REFUSED',
    `the newest bundle of ${log} names the genesis with SHA-256 ${head.genesisSha256}, and another genesis is in the archive: it was replaced. Restore the archive`,
  );
}

/** Bundles under a shorter lock than the genesis promises would fail verification for good. */
function checkLocks({ log, lockFor, clock }: LedgerOptions, { policy }: LogGenesis): void {
  const nowMs = clock();
  const at = toInstant(nowMs);
  for (const retentionClass of RETENTION_CLASSES) {
    const lock = lockFor(retentionClass, nowMs);
    if (keepsFloor(policy, { lock, retentionClass, at })) continue;
    const days = String(policy.archive_days[retentionClass]);
    throw new PipelineError(
      'START_REFUSED',
      `the configuration locks objects of class ${retentionClass} of ${log} until ${lock.retain_until} in mode ${lock.mode}; its genesis promises at least ${days} days in mode ${policy.lock_mode}. Raise retention.${retentionClass}.archive_days or store.lock_mode`,
    );
  }
}

interface PublishedNote {
  readonly key: string;
  readonly note: string;
}

async function newestNote({ archive, log }: LedgerOptions): Promise<PublishedNote | undefined> {
  const size = await lastNumber(archive, checkpointKeys(log));
  if (size === undefined) return undefined;
  const key = checkpointKey(log, size);
  const bytes = await archive.get(key);
  return { key, note: bytes === undefined ? '' : Buffer.from(bytes).toString('utf8') };
}

function openNote({ key, note }: PublishedNote, { keys }: Head): SignedHead {
  const checkpoint = openCheckpointOf(keys, note);
  if (checkpoint !== undefined) return checkpoint;
  throw new PipelineError('START_REFUSED', `checkpoint ${key} does not carry a good signature of this log`);
}

/** Compares the newest bundle with a head that was signed before. */
function checkSigned({ log }: LedgerOptions, head: Head, signed: SignedHead): void {
  if (signed.tree_size > head.treeSize) {
    throw new PipelineError(
      'START_REFUSED',
      `a head of size ${String(signed.tree_size)} was signed, but the archive of ${log} ends at ${String(head.treeSize)}`,
    );
  }
  if (signed.tree_size === head.treeSize && signed.root_hash !== rootHashOf(head)) {
    throw new PipelineError(
      'START_REFUSED',
      `another root was signed at size ${String(head.treeSize)} of ${log}`,
    );
  }
}
