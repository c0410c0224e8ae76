import type { Continuation } from '../../schemas/bundle.ts';
import type { ControlResult, Period } from '../../schemas/control.ts';
import type { Framework, PopulationRow } from '../controls/control.ts';

/** First rows of a population, for a reader to see what it looks like. */
export interface PopulationSample {
  readonly columns: readonly string[];
  readonly rows: readonly PopulationRow[];
}

/** Head of a package: which one it is, and the log and checkpoint that everything in it refers to. */
export interface PackageHead {
  readonly package_id: string;
  readonly created_at: string;
  /** Principal id of who ordered it. */
  readonly requested_by: string;
  readonly period: Period;
  readonly origin: string;
  /** Whether the log was made for tests or shows. */
  readonly synthetic: boolean;
  /** How many logs the deployment has. */
  readonly log_count: number;
  /** The log that this one continues under new keys. */
  readonly continues?: Continuation | undefined;
  readonly tree_size: number;
  /** Hex. */
  readonly root_hash: string;
}

/** Everything the report prints; it computes nothing. */
export interface ReportInput extends PackageHead {
  readonly framework: Framework;
  /** The key of the genesis. */
  readonly vkey: string;
  /** The header lines that changed the key before the checkpoint; empty where it never changed. */
  readonly key_changes: string;
  readonly checkpoint_note: string;
  /** The object as it lies in the archive. */
  readonly genesis_text: string;
  readonly results: readonly ControlResult[];
  /** Hex, of the bytes of results.json. */
  readonly results_sha256: string;
  /** By CSV path. */
  readonly samples: ReadonlyMap<string, PopulationSample>;
  readonly record_count: number;
  readonly proof_count: number;
  /** Leaf indexes of the sample, rising. */
  readonly sample: readonly number[];
}
