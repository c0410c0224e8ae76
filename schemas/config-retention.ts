/** Configuration of the retention classes: how long each is queried, and how long it is locked. */
import { Type } from 'typebox';
import type { RetentionClass } from './retention.ts';

/** A hundred years: an instant that every clock and store can hold. */
const MAX_DAYS = 36_500;

const days = (preset: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: MAX_DAYS, default: preset, description });

/** The clocks of a class. `meaning` names its objects. */
const clocks = (meaning: string, presets: { readonly hot: number; readonly archive: number }) =>
  Type.Object(
    {
      hot_days: days(presets.hot, `days in the record store, of ${meaning}; nothing is removed by it yet`),
      archive_days: days(presets.archive, `days of the lock in the archive, of ${meaning}`),
    },
    { additionalProperties: false },
  );

/** Six years (45 CFR 164.316(b)(2)). */
const EVIDENCE_DAYS = 2_190;
/** A year to audit, and the months of field work behind it. */
const AUDIT_DAYS = 460;

export const RetentionConfig = Type.Object(
  {
    facts: clocks('facts: events, times, decisions, outcomes, cost', {
      hot: AUDIT_DAYS,
      archive: EVIDENCE_DAYS,
    }),
    person: clocks('persons: names, logins, ids of persons and of their devices', {
      hot: AUDIT_DAYS,
      archive: EVIDENCE_DAYS,
    }),
    content: clocks('prompts, answers, tool input and tool output', { hot: 90, archive: 365 }),
    file: clocks('content that holds text of files', { hot: 30, archive: 90 }),
    admin: clocks('records of administrative acts and of this program, with all their parts', {
      hot: AUDIT_DAYS,
      archive: EVIDENCE_DAYS,
    }),
    package: clocks('evidence packages; none lies in the archive yet', {
      hot: AUDIT_DAYS,
      archive: EVIDENCE_DAYS,
    }),
    proof: clocks('bundles, checkpoints and the genesis: every other object is proven by them', {
      hot: AUDIT_DAYS,
      archive: EVIDENCE_DAYS,
    }),
  } satisfies Record<RetentionClass, unknown>,
  { additionalProperties: false },
);
