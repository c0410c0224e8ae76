import type { ControlState, FrameworkId, Period } from '../../schemas/control.ts';
import type { JsonValue } from '../../schemas/json.ts';
import type { Query } from '../../store/records/record-store.ts';

/** The records that a question sees: one period of one log, below the size of one published checkpoint. */
export interface Scope {
  readonly period: Period;
  readonly log: string;
  readonly tree_size: number;
}

/** One value of a row. */
export type CellValue = string | number | boolean | null | undefined | readonly string[];

/** One row of a population; `record_ids` name the records that the row rests on. */
export type PopulationRow = Readonly<Record<string, CellValue>> & { readonly record_ids: readonly string[] };

/** Bounds of one page of a population. */
export interface PageBounds {
  /** Last row of the page before; absent for the first page. */
  readonly after: PopulationRow | undefined;
  readonly limit: number;
}

/** All items that a control is judged on, drawn in full by a query that the package prints. */
export interface Population {
  readonly id: string;
  readonly title: string;
  /** In words, for somebody who does not read SQL. */
  readonly definition: string;
  /** Columns of the CSV, in order; `record_ids` comes last. */
  readonly columns: readonly string[];
  /** One page in a fixed total order, so that the same scope gives the same rows in the same order. */
  readonly page: (scope: Scope, bounds: PageBounds) => Query<PopulationRow>;
  /**
   * The records of the whole population within a range of the log; each belongs to one row. Replaces the look-up of
   * single ids where rows name many.
   */
  readonly members?: (scope: Scope, range: LeafRange) => Query<LeafIndexRow>;
}

/** Leaf indexes [from_index, to_index). */
export interface LeafRange {
  readonly from_index: number;
  readonly to_index: number;
}

export interface LeafIndexRow {
  readonly leaf_index: number;
}

/** `session_id` and `tool_use_id` are '' for an exception that belongs to no session or no call. */
export interface ExceptionRow {
  readonly session_id: string;
  readonly tool_use_id: string;
  readonly record_ids: readonly string[];
}

/** A deviation that a query can find. Every row is an exception that a person must explain. */
export interface ExceptionRule {
  readonly id: string;
  readonly description: string;
  readonly rows: (scope: Scope, limit: number) => Query<ExceptionRow>;
}

/** A figure worth printing, as text. */
export interface FigureRow {
  readonly name: string;
  readonly value: string;
}

/** A population without which the control cannot be tested at all. */
export interface Needed {
  readonly population: string;
  readonly when_empty: string;
}

/** One control of a framework as data: the question, the records it is asked of, and the exceptions to it. */
export interface Control {
  readonly id: string;
  readonly title: string;
  /** The criterion in our own words. */
  readonly criterion: string;
  /** The auditor's question. */
  readonly asks: string;
  readonly populations: readonly Population[];
  /** Populations whose emptiness means that nothing of this kind happened. */
  readonly activity: readonly string[];
  /** The verdict on a complete period without activity. */
  readonly when_no_activity: { readonly state: ControlState; readonly reason: string };
  readonly needed: readonly Needed[];
  readonly rules: readonly ExceptionRule[];
  readonly figures: readonly ((scope: Scope) => Query<FigureRow>)[];
  /** Base statistics that must be ok before the absence of exceptions means anything. */
  readonly required_statistics: readonly string[];
  readonly not_proven: readonly string[];
}

/** A control framework as a value: everything that a package says about it comes from here. */
export interface Framework {
  readonly id: FrameworkId;
  /** Rises when the meaning of a definition, a query or a rule changes, not its wording; printed in every package. */
  readonly version: string;
  readonly title: string;
  /** The published criteria that the controls refer to, with their edition. */
  readonly criteria: string;
  readonly controls: readonly Control[];
}

/** Values of the placeholders that every question of a scope has. */
export function scopeParams({ period, log, tree_size }: Scope): Readonly<Record<string, JsonValue>> {
  return { log, tree_size, from: period.from, to: period.to };
}
