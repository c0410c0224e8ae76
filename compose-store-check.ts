/** Opens the record store of a deployment for verification alone. Part of the composition root. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { dataPaths, systemClock } from './compose-paths.ts';
import { openRecords } from './compose-stores.ts';
import type { Config } from './config.ts';
import { PipelineError } from './schemas/errors.ts';
import type { VerificationReport } from './schemas/verification.ts';
import { LOG_ROOT } from './store/chain/layout.ts';
import { verifyPath } from './store/chain/verify/path.ts';
import { buildReport, createFindings, type VerifyOptions } from './store/chain/verify/report.ts';
import { openLocalArchive } from './store/local/archive.ts';
import { verifyRecordStore } from './store/store-verification.ts';

export interface VerifyStoreOptions extends VerifyOptions {
  /** Archive to hold the record store against; that of the deployment if it is left out. */
  readonly archiveDir?: string | undefined;
}

/**
 * Verifies an archive, and if it is sound holds every row of the configured record store against it.
 * Throws START_REFUSED where there is no record store, or another process has it in use.
 */
export async function verifyStore(
  config: Config,
  { archiveDir, ...options }: VerifyStoreOptions,
): Promise<VerificationReport> {
  const paths = dataPaths(config);
  if (config.clickhouse.url === undefined && !existsSync(paths.records)) {
    throw new PipelineError('START_REFUSED', `${config.data} holds no record store`);
  }
  const given = archiveDir ?? paths.archive;
  const dir = existsSync(join(given, LOG_ROOT)) ? given : join(given, 'archive');
  const archived = await verifyPath(existsSync(dir) ? dir : given, options);
  if (archived.kind === 'package') {
    throw new PipelineError('CONFIG_INVALID', `${given} is a package; --store needs an archive folder`);
  }
  if (archived.ok) return compareRows(config, dir, archived, options);
  const detail = 'the archive is not sound, so there is nothing to hold the record store against';
  return {
    ...archived,
    kind: 'record_store',
    notices: [...archived.notices, { code: 'store_not_compared', index: null, detail }],
  };
}

async function compareRows(
  config: Config,
  dir: string,
  archived: VerificationReport,
  { onProgress }: VerifyOptions,
): Promise<VerificationReport> {
  const findings = createFindings();
  const records = await openRecords(config, dataPaths(config).records);
  try {
    const archive = await openLocalArchive({ dir, clock: systemClock });
    const logs = await readdir(join(dir, LOG_ROOT));
    await verifyRecordStore({ archive, records, logs, findings, onProgress });
  } finally {
    await records.close();
  }
  for (const { code, index, detail } of archived.notices) findings.notice(code, index, detail);
  return buildReport(findings, {
    ...archived,
    kind: 'record_store',
    isPinned: archived.anchoring === 'signed_by_pinned_key',
  });
}
