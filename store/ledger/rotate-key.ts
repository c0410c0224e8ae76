/**
 * A log changes its key, and that of its packages. In: the signer of its key and that of the next one. Out: one bundle, the
 * last of the old key, that names the new ones, and a checkpoint at its end that both signed. Nothing else is sealed meanwhile; where another process
 * does seal, creating the bundle decides who goes on, as always.
 */
import { PipelineError } from '../../schemas/errors.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { currentTerm, rotationProblem } from '../chain/key-history.ts';
import type { Signer } from '../keys/signer.ts';
import { createPublisher } from './checkpoint-publisher.ts';
import { createBundle, draftBundle, keyMembers, type BundleDraft } from './commit.ts';
import { applySealed } from './follow.ts';
import type { Head } from './head.ts';
import type { LedgerOptions } from './options.ts';
import { recoverHead } from './recovery.ts';

export interface RotateKeyOptions extends LedgerOptions {
  readonly nextSigner: Signer;
  /** Verifier key of the next packages about the log; absent for the head log. */
  readonly nextPackageKey?: string | undefined;
}

export interface KeyChange {
  /** Whether the bundle that names the next key was there already: an earlier run created it. */
  readonly isResumed: boolean;
  /** Leaves of the log with the record of the change. */
  readonly tree_size: number;
}

/** Makes the last bundle of the old key behind `before`, with one leaf and `next_vkey`. */
export type DraftChange = (before: Head) => Promise<BundleDraft>;

/**
 * Changes the key of one log, or completes a change that was interrupted. Both keys must be durable before. After a crash
 * on the line behind each mark it is true that:
 *  1. nothing has changed but for payload objects that no bundle names.
 *  2. the log goes on under the new key, and its newest bundle has no checkpoint. The next run signs it.
 *  3. the guard knows the head; the next run signs the same one.
 *  4. all is done; the next run finds that.
 */
export async function changeLogKey(options: RotateKeyOptions, draft: DraftChange): Promise<KeyChange> {
  const publisher = createPublisher(options);
  const head = await recoverHead(options);
  await publisher.publish(head);
  if (currentTerm(head.keys).vkey === options.nextSigner.vkey)
    return { isResumed: true, tree_size: head.treeSize };
  requireAllowed(options, head);
  const change = await draft(head); // 1
  await createBundle(options, change); // 2
  await applySealed(options, 'sealing', change);
  await applySealed(options, 'publishing', change);
  await publisher.publish(change.head); // 3, 4
  return { isResumed: false, tree_size: change.head.treeSize };
}

/** Throws START_REFUSED for a next key that verification would refuse, before anything is sealed. */
function requireAllowed(
  { log, nextSigner, nextPackageKey }: RotateKeyOptions,
  { treeSize, keys }: Head,
): void {
  const { key } = currentTerm(keys);
  const place = { origin: key.name, start_index: treeSize, leaf_count: 1, tree_size: treeSize + 1 };
  const named = keyMembers({ keys }, { vkey: nextSigner.vkey, packageKey: nextPackageKey });
  const problem = rotationProblem(keys, { ...place, ...named });
  if (problem !== undefined) throw new PipelineError('START_REFUSED', `the next bundle of ${log} ${problem}`);
}

/** The change as a record of a log of records, which states the keys. */
export function draftRotation(options: RotateKeyOptions, record: AuditRecord): DraftChange {
  const { signer, nextSigner, nextPackageKey: packageKey } = options;
  const { old_vkey, new_vkey, new_package_key } = record.facts;
  if (old_vkey !== signer.vkey || new_vkey !== nextSigner.vkey || new_package_key !== packageKey)
    throw new PipelineError('INTERNAL', 'the record of a change of key names other keys than its signers');
  return (before) => {
    const { nextOffset: next_offset, eventLog: event_log, writers } = before;
    const batch = { records: [record], next_offset, event_log, writers, duplicate_count: 0 };
    return draftBundle(options, before, batch, { vkey: nextSigner.vkey, packageKey });
  };
}
