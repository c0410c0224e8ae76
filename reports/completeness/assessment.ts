import type { CompletenessFinding, CompletenessStatistic, Period } from '../../schemas/control.ts';
import type { CompletenessScope as QueryScope } from '../../store/records/queries/completeness.ts';
import type { ReadLimits, RecordStore } from '../../store/records/record-store.ts';

/** How much of the log an assessment sees; by default all of it. */
export interface CompletenessScope {
  readonly log?: string | undefined;
  /** Only records with a smaller leaf index: the size of a published checkpoint. */
  readonly below?: number | undefined;
  readonly session_id?: string | undefined;
  /** How many rows below `below` were compared with their leaves; absent where nobody compared them. */
  readonly verifiedRows?: number | undefined;
  /** Bounds of each question; by default those of the store. */
  readonly limits?: ReadLimits;
}

export interface Assessment {
  readonly store: RecordStore;
  readonly period: Period;
  readonly scope: CompletenessScope;
}

/** What the questions of an assessment are narrowed to. */
export function askedOf({ period, scope: { log, below, session_id } }: Assessment): QueryScope {
  return { ...period, log, below, session_id };
}

/** One statistic with what it found; `findings` are already limited, the figures hold the totals. */
export interface Measured {
  readonly statistic: CompletenessStatistic;
  readonly findings: readonly CompletenessFinding[];
}

/** Limit of a question that needs every row. */
export const ALL_ROWS = 0xffffffff;

/** Findings listed per statistic; the figures tell how many there are beyond it. */
export const LISTED_FINDINGS = 200;
