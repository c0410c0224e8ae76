import type { Backlog } from '../../schemas/backlog.ts';
import type { CompletenessFinding, CompletenessStatistic, Period } from '../../schemas/control.ts';
import type { CompletenessScope as QueryScope } from '../../store/records/queries/completeness.ts';
import type { ReadLimits, RecordStore } from '../../store/records/record-store.ts';

/** The records that an assessment sees; by default all. */
export interface CompletenessScope {
  readonly log?: string | undefined;
  /** Only records with a smaller leaf index: the size of a published checkpoint. */
  readonly below?: number | undefined;
  readonly session_id?: string | undefined;
  /** How many rows below `below` were compared with their leaves; absent if none was. */
  readonly verifiedRows?: number | undefined;
  /** Absent where nobody asked the event log. */
  readonly backlog?: Backlog | undefined;
  /** Bounds of each question; by default those of the store. */
  readonly limits?: ReadLimits;
}

export interface Assessment {
  readonly store: RecordStore;
  readonly period: Period;
  readonly scope: CompletenessScope;
}

/** The scope of the queries of an assessment. */
export function askedOf({ period, scope: { log, below, session_id } }: Assessment): QueryScope {
  return { ...period, log, below, session_id };
}

/** One statistic with its findings. The findings are limited to LISTED_FINDINGS; the figures hold the totals. */
export interface Measured {
  readonly statistic: CompletenessStatistic;
  readonly findings: readonly CompletenessFinding[];
}

/** Limit of a question that needs every row. */
export const ALL_ROWS = 0xffffffff;

/** Findings listed per statistic; the figures count those beyond it too. */
export const LISTED_FINDINGS = 200;
