/**
 * One log and its life: open, append, recover after a failure. In: batches of normalised records in event-log order.
 * Out: payload objects, bundles and checkpoints in the archive, rows in the record store (`ledger-commit.ts` has the
 * steps). Two invariants: no bundle is created before the one in front of it is queryable and under a published
 * checkpoint; after a failure nothing is appended before the head was read again.
 */
import { Value } from 'typebox/value';
import { canonicalJson } from '../../schemas/canonical.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { Leaf } from '../../schemas/leaf.ts';
import { bundleKey } from '../chain/layout.ts';
import { createPublisher } from './checkpoint-publisher.ts';
import { createBundle, insertRows, prepare, type Batch, type PreparedBundle } from './commit.ts';
import type { LedgerOptions } from './options.ts';
import { bundleStarts, readLeafTexts, recoverHead, type Head } from './recovery.ts';
import type { PublishedLog } from './published-log.ts';
import { toRows } from '../records/record-row.ts';

export interface Appended {
  /** Resolves when the batch is queryable and under a published checkpoint. May be left unheard. */
  readonly published: Promise<void>;
}

/**
 * One log, owned by one sequencer. `append` resolves when the batch is committed; the next one may follow at once, and
 * is prepared while the rows of this one are written. After any rejection, of `append` or of what it gave, the state in
 * memory is worthless: call `recover`, then read the event log again from `nextOffset`, because a failed write may
 * have been applied.
 */
export interface Ledger extends PublishedLog {
  /** Waits for what is under way, whatever comes of it. */
  recover(): Promise<void>;
  append(batch: Batch): Promise<Appended>;
  treeSize(): number;
  nextOffset(): bigint;
  /** Ids of all leaves at or after `index`, bundle by bundle, each with the tree size after it. */
  idsSince(index: number): AsyncIterable<{ readonly ids: readonly string[]; readonly tree_size: number }>;
}

/** Opens the log for appending: refuses on doubt (START_REFUSED), finishes what a crash left undone. */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const publisher = createPublisher(options);
  let head: Head | undefined;
  // Whether something was begun since `head` was read or written, that may or may not have been applied.
  let isInDoubt = true;
  let publishing: Promise<void> = Promise.resolve();

  const publish = async (bundle: PreparedBundle) => {
    await insertRows(options, bundle);
    await publisher.publish(bundle.head);
  };
  const recover = async () => {
    isInDoubt = true;
    await publishing.catch(() => undefined);
    publishing = Promise.resolve();
    const recovered = await recoverHead(options, (bundle, chain) =>
      options.records.insert(
        options.log,
        toRows(bundle, chain),
        bundleKey(options.log, bundle.header.start_index),
      ),
    );
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
    idsSince: (index) => idsSince(options, index),
    async append(batch) {
      if (head === undefined || isInDoubt)
        throw new PipelineError('START_REFUSED', 'the ledger failed before and was not recovered');
      if (batch.records.length === 0) return { published: publishing };
      isInDoubt = true;
      const bundle = await prepare(options, head, batch);
      await publishing;
      await createBundle(options, bundle);
      publishing = publish(bundle);
      // The next append or whoever waits for it hears of a failure; it may also be that nobody does.
      publishing.catch(() => undefined);
      head = bundle.head;
      isInDoubt = false;
      return { published: publishing };
    },
  };
}

async function* idsSince({ archive, log }: LedgerOptions, index: number) {
  const starts = await bundleStarts(archive, log);
  const first = Math.max(
    starts.findLastIndex((start) => start <= index),
    0,
  );
  for (const start of starts.slice(first)) {
    const leaves = (await readLeafTexts(archive, log, start)).map((text) =>
      Value.Parse(Leaf, JSON.parse(text)),
    );
    const ids = leaves.slice(Math.max(index - start, 0)).map(({ id }) => id);
    if (ids.length > 0) yield { ids, tree_size: start + leaves.length };
  }
}

/** First object of a log; creating it twice with other content is refused by the archive. */
export async function createLog(
  { archive, signer, clock, lockFor, log }: Omit<LedgerOptions, 'records' | 'guard' | 'randomBytes'>,
  key: string,
): Promise<void> {
  const now = clock();
  const genesis = canonicalJson({ v: 1, origin: signer.name, vkey: signer.vkey, created_at: toInstant(now) });
  await archive.put(key, Buffer.from(`${genesis}\n`), lockFor('log', log, now));
}
