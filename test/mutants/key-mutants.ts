/** Defects in how keys of a log, and generations of logs, follow each other. */
import type { Mutant } from './mutant.ts';

export const KEY_MUTANTS: readonly Mutant[] = [
  {
    name: 'named_key_vouches',
    defect:
      'A key counts as a key of the log although the log only names it as its next one, and it signed nothing.',
    file: 'store/chain/key-history.ts',
    find: 'problem !== undefined || isTakenUp(header)',
    replace: 'problem !== undefined || keys.length > 0',
    tests: ['test/tamper/rotation.test.ts'],
  },
  {
    name: 'change_signed_by_new_key',
    defect: 'The verifier takes a change of key that the incoming key alone signed.',
    file: 'store/chain/key-history.ts',
    find: 'keys.findLast(({ rotatedAt }) => rotatedAt === undefined || rotatedAt < start)',
    replace: 'keys.at(-1)',
    tests: ['test/store/chain/key-history.test.ts'],
  },
  {
    name: 'place_of_change_unread',
    defect: 'A header may say anything about the bundle that named its key.',
    file: 'store/chain/key-history.ts',
    find: 'if (rotated_at !== named)',
    replace: 'if (rotated_at === -1)',
    tests: ['test/tamper/rotation.test.ts'],
  },
  {
    name: 'change_under_one_signature',
    defect: 'The checkpoint where the key changes is accepted under the new key alone.',
    file: 'store/chain/key-history.ts',
    find: 'return before !== undefined && term.rotatedAt === size - 1 ? [before, term] : [term];',
    replace: 'return before !== undefined && size < 0 ? [before, term] : [term];',
    tests: ['test/tamper/rotation.test.ts'],
  },
  {
    name: 'retired_package_key',
    defect: 'A package about leaves behind a change of key is taken under the package key of the genesis.',
    file: 'store/chain/key-history.ts',
    find: 'termsOfCheckpoint(keys, size).at(-1)?.packageKey',
    replace: 'keys[0].packageKey',
    tests: ['test/store/verify/package-keys.test.ts'],
  },
  {
    name: 'forged_tail_read',
    defect: 'The verifier judges leaves behind the trusted head of a log whose key was stolen.',
    file: 'store/verify/trusted-part.ts',
    find: "if (folder === 'bundle' || folder === 'payload') return position < size;",
    replace: "if (folder === 'bundle' || folder === 'payload') return true;",
    tests: ['test/tamper/generation.test.ts'],
  },
  {
    name: 'trusted_head_uncompared',
    defect: 'Any leaves below the trusted head of the log before are taken for the trusted ones.',
    file: 'store/verify/trusted-part.ts',
    find: 'if (head !== undefined && keys !== undefined)',
    replace: 'if (head !== undefined && keys === undefined)',
    tests: ['test/tamper/generation.test.ts'],
  },
  {
    name: 'generation_without_its_record',
    defect: 'A log that continues another one may begin with any record.',
    file: 'store/verify/change-checks.ts',
    find: 'if (isRight && header.leaf_count === 1) return;',
    replace: 'if (isRight || header.leaf_count > 0) return;',
    tests: ['test/tamper/generation.test.ts'],
  },
  {
    name: 'waiting_entries_skipped',
    defect: 'A new generation reads the event log behind entries that are still in it.',
    file: 'app/begin-generation.ts',
    find: 'isSame && first > next_offset ? first : next_offset',
    replace: 'isSame && first > next_offset ? next_offset : first + 1n',
    tests: ['test/app/begin-generation.test.ts'],
  },
];
