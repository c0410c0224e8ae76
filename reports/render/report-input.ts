import type { ControlResult, Period } from '../../schemas/control.ts';
import type { Control, PopulationRow } from '../controls/control.ts';

/** First rows of a population, for a reader to see what it looks like. */
export interface PopulationSample {
  readonly columns: readonly string[];
  readonly rows: readonly PopulationRow[];
}

/** Everything the report prints; it computes nothing. */
export interface ReportInput {
  readonly package_id: string;
  readonly created_at: string;
  readonly requested_by: string;
  readonly catalogue_version: string;
  readonly period: Period;
  readonly origin: string;
  /** How many logs the deployment has. */
  readonly log_count: number;
  readonly vkey: string;
  readonly checkpoint_note: string;
  readonly tree_size: number;
  /** Hex. */
  readonly root_hash: string;
  readonly results: readonly ControlResult[];
  /** Hex, of the bytes of results.json. */
  readonly results_sha256: string;
  readonly controls: readonly Control[];
  /** By CSV path. */
  readonly samples: ReadonlyMap<string, PopulationSample>;
  readonly record_count: number;
  readonly proof_count: number;
  /** Leaf indexes of the sample, rising. */
  readonly sample: readonly number[];
}
