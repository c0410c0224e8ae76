import { PipelineError } from '../../schemas/errors.ts';
import { checkpointText } from '../chain/checkpoint.ts';
import { checkpointKey } from '../chain/layout.ts';
import { formatNote, parseVkey } from '../chain/note.ts';
import { rootHashOf, type Head } from './head.ts';
import type { LedgerOptions } from './options.ts';
import type { PublishedCheckpoint } from './published-log.ts';

/** Signs heads and puts them into the archive. The ledger owns it and runs one `publish` at a time. */
export function createPublisher({ log, archive, signer, guard }: LedgerOptions) {
  let latest: PublishedCheckpoint | undefined;
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
      const key = parseVkey(signer.vkey);
      if (key === undefined)
        throw new PipelineError('START_REFUSED', 'the signer has no Ed25519 verifier key');
      const signature = await signer.sign(Buffer.from(text));
      const note = formatNote(text, [{ name: key.name, keyId: key.keyId, signature }]);
      await archive.put(checkpointKey(log, tree_size), Buffer.from(note), head.lock);
      latest = { note, tree_size, root_hash };
    },
  };
}
