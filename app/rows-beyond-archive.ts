/** Whether a record store may be emptied: the archive must hold all that its rows hold. */
import type { AppContext } from './context.ts';
import { noDeployment, readDeployment } from './deployment-file.ts';
import { openArchive } from './engines.ts';
import { PipelineError } from '../schemas/errors.ts';
import { readLogHead } from '../store/ledger/archived-log.ts';
import type { BeforeDrop } from '../store/records/record-store.ts';

/**
 * Keeps the rows of a record store that holds more than the archive: it rejects with START_REFUSED before anything is
 * dropped. Such rows may be the last trace of leaves that the archive lost.
 */
export async function keepRowsBeyondArchive(context: AppContext): Promise<BeforeDrop> {
  const sizes = await archivedSizes(context);
  return async (storedEnds) => {
    const ends = await storedEnds();
    const beyond = ends.find(({ log, next_index }) => next_index > (sizes.get(log) ?? 0));
    if (beyond === undefined) return;
    const { log, next_index } = beyond;
    const detail = `the rows of the record store hold ${String(next_index)} leaves of ${log}, the archive only ${String(sizes.get(log) ?? 0)}: the archive lacks leaves that were sealed. Restore its newest copy, and rebuild nothing before`;
    const hint =
      'see docs/runbook.md; if the archive is right, keep a copy of the rows and give --discard-rows';
    throw new PipelineError('START_REFUSED', detail, { hint });
  };
}

/** How many leaves the archive holds of each log. */
async function archivedSizes(context: AppContext): Promise<ReadonlyMap<string, number>> {
  const deployment = await readDeployment(context.config);
  if (deployment === undefined) throw noDeployment(context.config);
  const archive = await openArchive(context);
  const sizes = new Map<string, number>();
  try {
    for (const { log, origin } of deployment.logs) {
      sizes.set(log, (await readLogHead(archive, log, origin)).treeSize);
    }
  } finally {
    await archive.close();
  }
  return sizes;
}
