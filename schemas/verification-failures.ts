import { KEY_FAILURES, type FailureEntry } from './key-failures.ts';

export type { VerificationAxis } from './key-failures.ts';

const RESTORE =
  'restore the file from an untouched copy and verify again; until then treat the range as tampered';
const ASK_AGAIN = 'ask the sender for the package again and keep this one as it is';
const REBUILD =
  'keep a copy of the record store as evidence, then `affidavit rebuild`; the archive is the truth and was not touched';

/** The one list of failures that verification can find. Codes are append-only; docs/formats/verification.md explains each. */
export const FAILURES = {
  nothing_to_verify: {
    axis: 'integrity',
    meaning: 'the path holds no log and no package',
    action:
      'name the archive folder (it holds a folder `log`), the ZIP of an evidence package, or with --s3 the prefix of the archive',
  },
  object_damaged: {
    axis: 'integrity',
    meaning: 'the bytes of an archive object are not the bytes its lock was written for',
    action: RESTORE,
  },
  lock_missing: {
    axis: 'integrity',
    meaning: 'an archive object has no lock file',
    action:
      'copy the archive with all its files; if the lock file is gone for good, so is its retention date',
  },
  lock_damaged: {
    axis: 'integrity',
    meaning:
      'a lock file does not read as written, or names another object or size; in a bucket: an object does not say with which bytes and under which lock it was written',
    action: RESTORE,
  },
  file_unexpected: {
    axis: 'integrity',
    meaning: 'a file lies where the format allows none',
    action: 'find out who put it there; nothing of it was taken as evidence',
  },
  file_missing: {
    axis: 'integrity',
    meaning: 'a file that the manifest names is not in the package',
    action: ASK_AGAIN,
  },
  file_damaged: {
    axis: 'integrity',
    meaning: 'a file of the package is not the file its manifest names',
    action: ASK_AGAIN,
  },
  genesis_malformed: {
    axis: 'integrity',
    meaning: 'the first object of a log is missing or does not say which log and key it is',
    action: RESTORE,
  },
  format_unknown: {
    axis: 'integrity',
    meaning:
      'the log was begun in a version of the format that this program does not read, so nothing was judged',
    action:
      'verify with a release that reads this version; docs/formats/archive.md names the one of this release',
  },
  bundle_missing: {
    axis: 'integrity',
    meaning: 'leaves from this index on are gone: a bundle is missing in the middle or at the end',
    action: 'restore the bundle; leaves behind the gap are checked as far as they go',
  },
  bundle_malformed: {
    axis: 'integrity',
    meaning: 'a bundle does not decode, or its header contradicts its own lines',
    action: RESTORE,
  },
  leaf_malformed: {
    axis: 'integrity',
    meaning: 'a leaf is not the canonical JSON of a leaf',
    action: RESTORE,
  },
  root_mismatch: {
    axis: 'integrity',
    meaning: 'the leaves of a bundle do not lead to the root, frontier or chain that its header names',
    action: 'at least one leaf of this bundle, or its place, was changed; restore the bundle',
  },
  payload_missing: {
    axis: 'integrity',
    meaning:
      'a payload object with parts that leaves commit to is gone, and no sealed receipt says that it was purged',
    action: 'treat the range as tampered unless a backup brings the object back',
  },
  payload_damaged: {
    axis: 'integrity',
    meaning: 'a payload object is not the one its bundle names, or does not decode',
    action: RESTORE,
  },
  payload_mismatch: {
    axis: 'integrity',
    meaning:
      'a line of a frame is not the part that its leaf commits to, or frames hold more or fewer parts than leaves name',
    action: 'the record at this index was changed after it was sealed; restore the object',
  },
  checkpoint_missing: {
    axis: 'anchoring',
    meaning:
      'a bundle has no checkpoint, although a newer bundle exists or a key is pinned and nothing is signed',
    action: 'restore the checkpoint; the writer publishes one before it seals the next bundle',
  },
  checkpoint_invalid: {
    axis: 'anchoring',
    meaning: 'a checkpoint has no good signature of the log key, or names another log or size than it should',
    action: 'compare with a copy of the checkpoint that somebody else kept',
  },
  checkpoint_root_mismatch: {
    axis: 'integrity',
    meaning: 'the key signed another tree than the one the leaves make',
    action: 'leaves from this index on were rewritten after signing; compare with a copy kept elsewhere',
  },
  tile_missing: {
    axis: 'integrity',
    meaning: 'a hash tile is gone, although a checkpoint covers its leaves',
    action: 'the leaves are intact; `affidavit rebuild` puts the tile again',
  },
  tile_mismatch: {
    axis: 'integrity',
    meaning: 'a hash tile does not hold the hashes that the leaves make',
    action: RESTORE,
  },
  key_not_pinned: {
    axis: 'anchoring',
    meaning: 'the key of the log is not the key you asked for',
    action:
      'get the verifier key from the operator over another channel; do not trust the one beside the log',
  },
  container_damaged: {
    axis: 'integrity',
    meaning: 'the ZIP is not well-formed, is ambiguous, or does not match the digest in its comment',
    action: ASK_AGAIN,
  },
  manifest_malformed: {
    axis: 'integrity',
    meaning: 'manifest.json is missing, is not canonical, or lists files wrongly',
    action: ASK_AGAIN,
  },
  manifest_unsigned: {
    axis: 'anchoring',
    meaning: 'manifest.note does not sign this manifest with the package key of its checkpoint',
    action: ASK_AGAIN,
  },
  record_malformed: {
    axis: 'integrity',
    meaning: 'a line of records.jsonl is not canonical, out of order, or its leaf is not a leaf',
    action: ASK_AGAIN,
  },
  record_mismatch: {
    axis: 'integrity',
    meaning: 'the facts of a record are not those its leaf commits to',
    action: ASK_AGAIN,
  },
  proof_mismatch: {
    axis: 'integrity',
    meaning: 'an inclusion proof is missing or malformed, or does not lead from the leaf to the signed root',
    action: 'the record is not part of the signed log; ask where it came from',
  },
  results_mismatch: {
    axis: 'integrity',
    meaning: 'results.json is malformed or contradicts the manifest',
    action: ASK_AGAIN,
  },
  population_mismatch: {
    axis: 'integrity',
    meaning:
      'a population list or an exception contradicts its count or digest, or names a record without evidence',
    action: ASK_AGAIN,
  },
  bundle_unsigned: {
    axis: 'anchoring',
    meaning: 'the header of a bundle has no good signature of the key of the log',
    action: 'find out who wrote it: the key did not seal this bundle, or its header was changed since',
  },
  bundle_misplaced: {
    axis: 'integrity',
    meaning: 'a bundle of this log lies under another start index than its own: it was swapped or replaced',
    action: 'restore the bundle of this place from an untouched copy',
  },
  checkpoint_misplaced: {
    axis: 'anchoring',
    meaning: 'a good checkpoint of this log lies under another size than its own: it was swapped or replaced',
    action: 'restore the checkpoint of this size; compare with a copy that somebody else kept',
  },
  checkpoint_other_key: {
    axis: 'anchoring',
    meaning: 'a checkpoint names this log and was signed by another key than that of the log',
    action: 'find out who signed it; only the key of the log vouches for its heads',
  },
  kept_checkpoint_invalid: {
    axis: 'anchoring',
    meaning: 'the kept checkpoint is not a valid signed head of any log found here',
    action: 'check that the file is whole and belongs to this log, then look for another copy',
  },
  kept_checkpoint_other_key: {
    axis: 'anchoring',
    meaning:
      'the kept checkpoint names this log and another key: the log was replaced, or signed again with another key',
    action:
      'a log changes its key only by a bundle that the key before it signed; keep both as evidence and pin the key you know (--key)',
  },
  log_truncated: {
    axis: 'integrity',
    meaning: 'a head over more leaves than found was signed: the end was cut off, or this copy is older',
    action: 'restore the newest copy; if there is none, the leaves from this index on are lost or hidden',
  },
  kept_checkpoint_mismatch: {
    axis: 'integrity',
    meaning:
      'the leaves lead to another root than that of the kept checkpoint, and no newer head covers them',
    action: 'leaves from this index on were rewritten; restore the log that the kept checkpoint belongs to',
  },
  log_equivocation: {
    axis: 'anchoring',
    meaning: 'the key of the log signed two histories that exclude each other',
    action: 'the holder of the signing key signed both; keep both heads as evidence, since they prove it',
  },
  row_missing: {
    axis: 'integrity',
    meaning: 'the record store lacks rows between others that it has',
    action: REBUILD,
  },
  row_missing_at_start: {
    axis: 'integrity',
    meaning: 'the record store lacks the first rows of the log',
    action: REBUILD,
  },
  row_missing_at_end: {
    axis: 'integrity',
    meaning:
      'the record store lacks all rows from this index on, although a published checkpoint covers them',
    action: REBUILD,
  },
  row_duplicated: {
    axis: 'integrity',
    meaning: 'the record store holds more than one row of this index',
    action: REBUILD,
  },
  rows_swapped: {
    axis: 'integrity',
    meaning: 'two rows of the record store are swapped',
    action: REBUILD,
  },
  row_replayed: {
    axis: 'integrity',
    meaning: 'a row of the record store holds the record of another index',
    action: REBUILD,
  },
  row_leaf_edited: {
    axis: 'integrity',
    meaning: 'the leaf in a row of the record store is not a leaf of the log',
    action: REBUILD,
  },
  row_chain_hash_edited: {
    axis: 'integrity',
    meaning: 'chain_hash of a row of the record store is not that of the chain over the sealed leaves',
    action: REBUILD,
  },
  row_facts_edited: {
    axis: 'integrity',
    meaning: 'the facts in a row of the record store are not those that were sealed',
    action: REBUILD,
  },
  row_person_edited: {
    axis: 'integrity',
    meaning: 'the person in a row of the record store is not the sealed one, or was taken away',
    action: REBUILD,
  },
  row_content_edited: {
    axis: 'integrity',
    meaning: 'the content in a row of the record store is not the sealed content',
    action: REBUILD,
  },
  row_secret_edited: {
    axis: 'integrity',
    meaning: 'a secret in a row of the record store is not the sealed one, so its part could not be proven',
    action: REBUILD,
  },
  row_column_edited: {
    axis: 'integrity',
    meaning: 'a column of the record store differs from the sealed leaf or facts',
    action: REBUILD,
  },
  row_beyond_log: {
    axis: 'integrity',
    meaning: 'the record store holds a row at or beyond the end of the log: nothing was sealed there',
    action: REBUILD,
  },
  row_of_unknown_log: {
    axis: 'integrity',
    meaning: 'the record store holds rows of a log that the archive does not have',
    action: REBUILD,
  },
  version_added: {
    axis: 'integrity',
    meaning: 'a key of the bucket has more versions than the one that was sealed: somebody wrote to it again',
    action:
      'find out who in the access log of the store and take the right away; the first locked version was verified',
  },
  delete_marker_added: {
    axis: 'integrity',
    meaning: 'a key of the bucket was deleted: a marker hides it from a request for the newest version',
    action:
      'find out who in the access log of the store and take the right away, then remove the marker; versions behind it were verified',
  },
  version_unlocked: {
    axis: 'integrity',
    meaning:
      'a version of an object in the bucket carries no lock: anybody with the right to delete can remove it',
    action:
      'if all are so, the bucket or the copy is without object lock; if some are, their lock was lifted or others wrote them',
  },
  lock_weakened: {
    axis: 'integrity',
    meaning: 'an object is kept less strictly, or for less time, than it was written for',
    action: 'find out who may bypass governance and lock it again; use compliance where nobody may',
  },
  key_missing: {
    axis: 'integrity',
    meaning:
      'the key store holds neither the key of a frame nor a tombstone, or its key does not open the frame: nobody can read this part of the archive',
    action:
      'bring the missing objects of the key store back from its backup, replace none that is there, and verify again; without `--open` the bytes alone are verified',
  },
  genesis_unsigned: {
    axis: 'anchoring',
    meaning: 'the key that the first object of a log names did not sign that object',
    action: 'find out who changed it: its date, its origin or its mark as synthetic is not what `init` wrote',
  },
  genesis_replaced: {
    axis: 'anchoring',
    meaning: 'a bundle names another genesis than the one that lies there: the first object was exchanged',
    action:
      'restore the genesis whose SHA-256 the bundles name; its date, promises and mark count, not these',
  },
  genesis_postdated: {
    axis: 'integrity',
    meaning: 'the genesis says that the log was begun after its first bundle was sealed',
    action: 'the holder of the key signed a wrong date; do not rely on when this log says it began',
  },
  integrated_at_reversed: {
    axis: 'integrity',
    meaning: 'a bundle says that it was sealed before the bundle in front of it',
    action:
      'the holder of the key signed a wrong time; do not rely on the times of sealing from this index on',
  },
  synthetic_mismatch: {
    axis: 'integrity',
    meaning: 'a package does not carry the mark of its log: whether it was made for tests or shows',
    action: ASK_AGAIN,
  },
  lock_below_floor: {
    axis: 'integrity',
    meaning: 'a signed lock ends before the floor that the genesis promises, or is of a weaker mode',
    action: 'find out who sealed it under these settings, and lock the object for as long as was promised',
  },
  log_missing: {
    axis: 'integrity',
    meaning:
      'a log that the head log names, the head log that a genesis names, or the log of a pinned key is not in the archive',
    action: 'restore the log from an untouched copy; all of its records are missing',
  },
  log_unnamed: {
    axis: 'integrity',
    meaning: 'a log lies in the archive that the head log does not name, hours after it was begun',
    action: 'find out who put it there: the deployment that wrote this archive does not know it',
  },
  heads_mismatch: {
    axis: 'integrity',
    meaning: 'the leaves or the checkpoint of a log are not those of a head that the head log names',
    action:
      'leaves from this index on were rewritten, or the head log is of another deployment; compare with a copy',
  },
  heads_contradict: {
    axis: 'anchoring',
    meaning: 'an entry of the head log takes back what an entry before it said',
    action: 'the holder of the key signed both entries; the older one was true when it was written',
  },
  ...KEY_FAILURES,
} as const satisfies Record<string, FailureEntry>;

export type FailureCode = keyof typeof FAILURES;
