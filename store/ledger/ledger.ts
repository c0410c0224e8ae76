/**
 * One log and its life: open, append, recover after a failure. In: batches of normalised records in event-log order.
 * Out: payload objects, bundles and checkpoints in the archive (`commit.ts` has the steps), and projections that follow.
 * Two invariants: no bundle is created before the one in front of it is queryable and under a published checkpoint;
 * after a failure nothing is appended before the head was read again.
 */
import type { WriterHeads } from '../../schemas/bundle.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { createPublisher } from './checkpoint-publisher.ts';
import { createBundle, draftBundle, type Batch, type BundleDraft } from './commit.ts';
import { applySealed } from './follow.ts';
import type { Head } from './head.ts';
import { makeKeysAhead } from './open-frames.ts';
import type { LedgerOptions } from './options.ts';
import type { PublishedLog } from './published-log.ts';
import { recoverHead } from './recovery.ts';

export interface Appended {
  /** Resolves when the batch is queryable and under a published checkpoint. The caller need not handle a rejection. */
  readonly published: Promise<void>;
}

/**
 * One log, owned by one sequencer. `append` resolves when the batch is committed and the projections that sealing reads
 * have it; the next one may follow at once, and is prepared while the rows of this one are written.
 *
 * After any rejection, of `append` or of `published`, the state in memory is worthless: call `recover`, then read the
 * event log again from `nextOffset`, because a failed write may have been applied. `append` cannot recover by itself:
 * the caller has cleared its batch of duplicates against a head that may have moved.
 */
export interface Ledger extends PublishedLog {
  /** Waits for writes in flight, whether they succeed or fail. */
  recover(): Promise<void>;
  append(batch: Batch): Promise<Appended>;
  /**
   * Makes the data keys that an `append` of these records will need, so that it need not wait for them. May run beside an
   * `append`. It never rejects: an `append` that lacks a key makes it, and says what fails.
   */
  prepare(records: readonly AuditRecord[]): Promise<void>;
  treeSize(): number;
  nextOffset(): bigint;
  /** Id of the event log that `nextOffset` counts in; undefined where no bundle says it. */
  eventLog(): string | undefined;
  /** Where the writers of the event log stand at `nextOffset`; undefined before one has numbered an entry. */
  writers(): WriterHeads | undefined;
}

/** Opens the log for appending: refuses on doubt (START_REFUSED), finishes work that a crash interrupted. */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const publisher = createPublisher(options);
  // `recover` and `append` own these three. The caller runs one of them at a time.
  let head: Head | undefined;
  // Whether something was begun since `head` was read or written, that may or may not have been applied.
  let isInDoubt = true;
  let publishing: Promise<void> = Promise.resolve();

  const publish = async (draft: BundleDraft) => {
    await applySealed(options, 'publishing', draft);
    // If the process dies here, the projections are whole and only the checkpoint is missing; recovery signs it.
    await publisher.publish(draft.head);
  };
  const recover = async () => {
    isInDoubt = true;
    await publishing.catch(() => undefined);
    publishing = Promise.resolve();
    const recovered = await recoverHead(options);
    await publisher.publish(recovered);
    head = recovered;
    isInDoubt = false;
  };
  await recover();

  return {
    log: options.log,
    origin: options.signer.name,
    vkey: options.signer.vkey,
    checkpoint: () => Promise.resolve(publisher.latest()),
    recover,
    treeSize: () => head?.treeSize ?? 0,
    nextOffset: () => head?.nextOffset ?? 0n,
    eventLog: () => head?.eventLog,
    writers: () => head?.writers,
    async append(batch) {
      if (head === undefined || isInDoubt)
        throw new PipelineError('START_REFUSED', 'the ledger failed before and was not recovered');
      if (batch.records.length === 0) return { published: publishing };
      isInDoubt = true;
      const draft = await draftBundle(options, head, batch);
      await publishing;
      await createBundle(options, draft);
      await applySealed(options, 'sealing', draft);
      publishing = publish(draft);
      // The next append and the caller that waits for `published` get the failure. Without either, the failure must not end the process.
      publishing.catch(() => undefined);
      head = draft.head;
      isInDoubt = false;
      return { published: publishing };
    },
    prepare: (records) => makeKeysAhead(options, records, options.clock()).catch(() => undefined),
  };
}
