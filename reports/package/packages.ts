import type { FrameworkId, Period } from '../../schemas/control.ts';

export interface PackageRequest {
  readonly framework: FrameworkId;
  readonly period: Period;
  /** Short name of the log; may be left out in a deployment with one log. */
  readonly log?: string;
  /** Id of the principal that ordered the package; the report prints it. */
  readonly requested_by: string;
}

export type PackageState = 'running' | 'ready' | 'failed';

export interface PackageJob {
  readonly id: string;
  readonly state: PackageState;
  readonly request: PackageRequest;
  readonly requested_at: string;
  readonly finished_at: string | null;
  /** Error code where the job failed. */
  readonly failure: string | null;
  /** SHA-256 of the ZIP in hex, once ready. */
  readonly sha256: string | null;
  readonly size_bytes: number | null;
}

/**
 * PORT: evidence packages as jobs. One job runs at a time, in the background. Jobs and files survive a restart; a job
 * that was running when the process ended is reported as failed.
 */
export interface EvidencePackages {
  /**
   * Resolves once the job is stored. Throws PARAMETER_INVALID for an unknown framework or an empty period, and
   * PACKAGE_INTERRUPTED while the process is ending.
   */
  create(request: PackageRequest): Promise<PackageJob>;
  get(id: string): Promise<PackageJob | undefined>;
  list(): Promise<readonly PackageJob[]>;
  /** Path of the finished ZIP; throws PACKAGE_NOT_READY or NOT_FOUND. */
  file(id: string): Promise<string>;
  /** Waits for the running job or stops it; idempotent. */
  close(): Promise<void>;
}
