import type { FrameworkId, Period } from '../../schemas/control.ts';

export interface PackageRequest {
  readonly framework: FrameworkId;
  readonly period: Period;
  /** Short name of the log; may be left out where there is only one. */
  readonly log?: string;
  /** Principal id of who asked, printed in the report. */
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
 * Evidence packages as jobs. `create` returns at once and works on in the background; jobs and files survive a
 * restart (a job that was running when the process ended is reported as failed). One job runs at a time.
 */
export interface EvidencePackages {
  create(request: PackageRequest): Promise<PackageJob>;
  get(id: string): Promise<PackageJob | undefined>;
  list(): Promise<readonly PackageJob[]>;
  /** Path of the finished ZIP; throws PACKAGE_NOT_READY or NOT_FOUND. */
  file(id: string): Promise<string>;
  /** Waits for the running job or stops it; idempotent. */
  close(): Promise<void>;
}
