import { PipelineError } from '../../schemas/errors.ts';
import { checkpointText } from '../chain/checkpoint.ts';
import { openExactCheckpoint, termsOfCheckpoint, type KeyTerm } from '../chain/key-history.ts';
import { checkpointKey } from '../chain/layout.ts';
import { formatNote } from '../chain/note.ts';
import type { Signer } from '../keys/signer.ts';
import { rootHashOf, type Head } from './head.ts';
import type { LedgerOptions } from './options.ts';
import type { PublishedCheckpoint } from './published-log.ts';

/** Signs heads and puts them into the archive. The ledger owns it and runs one `publish` at a time. */
export function createPublisher({ log, archive, signer, nextSigner, guard }: LedgerOptions) {
  let latest: PublishedCheckpoint | undefined;

  /** The note of a head under each of its keys. Undefined where this process does not hold them all. */
  async function signedBy(terms: readonly KeyTerm[], text: string): Promise<string | undefined> {
    const signatures = [];
    for (const { vkey, key } of terms) {
      const holder = [signer, nextSigner].find((one): one is Signer => one?.vkey === vkey);
      if (holder === undefined) return undefined;
      const signature = await holder.sign(Buffer.from(text));
      signatures.push({ name: key.name, keyId: key.keyId, signature });
    }
    return formatNote(text, signatures);
  }

  /**
   * The checkpoint where the key changed. It was published while the old key was there, and the process with the new key
   * finds it. Without it the log waits for the one that has both keys.
   */
  async function published({ keys }: Head, key: string, text: string): Promise<string> {
    const bytes = await archive.get(key);
    const note = bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
    if (openExactCheckpoint(keys, note) !== undefined && note.startsWith(text)) return note;
    throw new PipelineError(
      'START_REFUSED',
      `${key}, where the key of ${log} changes, is not signed by the old and the new key`,
      { hint: 'run `affidavit rotate-log-key` again where it was interrupted; else restore the archive' },
    );
  }

  return {
    /** The newest checkpoint that is in the archive. */
    latest: () => latest,
    /**
     * Idempotent: Ed25519 is deterministic, so signing one head again after a crash yields the same bytes. The guard
     * is advanced first: a head it has not remembered is never signed.
     */
    async publish(head: Head): Promise<void> {
      if (head.treeSize === 0 || latest?.tree_size === head.treeSize) return;
      const root_hash = rootHashOf(head);
      const tree_size = head.treeSize;
      await guard.advance(signer.name, { tree_size, root_hash });
      const text = checkpointText({ origin: signer.name, tree_size, root_hash });
      const key = checkpointKey(log, tree_size);
      const note =
        (await signedBy(termsOfCheckpoint(head.keys, tree_size), text)) ?? (await published(head, key, text));
      await archive.put(key, Buffer.from(note), head.lock);
      latest = { note, tree_size, root_hash };
    },
  };
}
