/** The axis of a report that a failure breaks: integrity of the bytes, or the signatures over them. */
export type VerificationAxis = 'integrity' | 'anchoring';

/** One failure: its meaning, and an action for the reader. */
export interface FailureEntry {
  readonly axis: VerificationAxis;
  readonly meaning: string;
  readonly action: string;
}

/** The failures of keys that follow each other, and of logs that do. Part of `FAILURES`. */
export const KEY_FAILURES = {
  rotation_invalid: {
    axis: 'anchoring',
    meaning: 'a signed bundle names its key or the next one in a way that the format does not allow',
    action:
      'the holder of the key signed it; keep the archive and compare with a copy that somebody else kept',
  },
  continuation_invalid: {
    axis: 'anchoring',
    meaning: 'a log that continues another one does not begin with the one record that says so',
    action: 'the holder of the key signed it; ask the operator, and do not take the two logs for one history',
  },
  previous_missing: {
    axis: 'integrity',
    meaning: 'the archive that was given as the previous one does not hold the log that is continued',
    action: 'give the archive of the generation before; if its log is gone, so are all of its records',
  },
  previous_other: {
    axis: 'integrity',
    meaning: 'the previous archive holds another genesis than the one that the new log names',
    action: 'restore the genesis whose SHA-256 the new log names; until then the previous log is another log',
  },
  previous_not_named: {
    axis: 'anchoring',
    meaning: 'a previous archive was given, and no log here says that it continues another one',
    action: 'verify the two archives apart from each other: nothing connects them',
  },
} as const satisfies Record<string, FailureEntry>;
