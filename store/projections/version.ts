import { PipelineError } from '../../schemas/errors.ts';
import type { Projection } from '../ledger/projection.ts';
import type { ProjectionVersions } from '../records/record-store.ts';

/** Of a projection that was filled before versions were noted. */
const FIRST_VERSION = 1;

/**
 * Clears a durable projection that a lower version filled, so that recovery fills it again. Throws MIGRATION_MISMATCH
 * where a higher version did.
 */
export async function settleVersion(projection: Projection, versions: ProjectionVersions): Promise<void> {
  const { name, version } = projection;
  const noted = (await versions.noted(name)) ?? FIRST_VERSION;
  if (noted === version) return;
  if (noted > version) {
    const detail = `the ${name} are of version ${String(noted)}, this program knows version ${String(version)}: a newer release has filled them`;
    throw new PipelineError('MIGRATION_MISMATCH', detail);
  }
  await projection.clear();
  // If the process dies here, the next start finds the lower version, and clears what is empty.
  await versions.note(name, version);
}
