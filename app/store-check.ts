/** Opens the record store of a deployment for verification alone. Part of the composition root. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { openArchive } from './archive.ts';
import { verifyBucket } from './bucket-check.ts';
import { dataPaths, systemClock } from './paths.ts';
import { openRecords } from './records.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { VerificationReport } from '../schemas/verification.ts';
import type { Archive } from '../store/archive/archive.ts';
import { LOG_ROOT } from '../store/chain/layout.ts';
import { verifyPath } from '../store/verify/verify-path.ts';
import { buildReport, createFindings, type VerifyOptions } from '../store/verify/report.ts';
import { openLocalArchive } from '../store/archive/local/archive.ts';
import { verifyRecordStore } from '../store/verify/store/store-verification.ts';

export interface VerifyStoreOptions extends VerifyOptions {
  /** Archive to hold the record store against; that of the deployment if it is left out. */
  readonly archiveDir?: string | undefined;
}

/** Where the archive is: how to verify it, and how to read it. */
interface Place {
  readonly verify: (options: VerifyOptions) => Promise<VerificationReport>;
  readonly open: () => Promise<Archive>;
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
  const isInBucket = archiveDir === undefined && config.s3.bucket !== undefined;
  const place = isInBucket ? bucketOf(config) : folderOf(archiveDir ?? paths.archive);
  const archived = await place.verify(options);
  if (archived.kind === 'package') {
    throw new PipelineError('CONFIG_INVALID', `${String(archiveDir)} is a package; --store needs an archive`);
  }
  if (archived.ok) return compareRows(config, place, archived, options);
  const detail = 'the archive is not sound, so there is nothing to hold the record store against';
  return {
    ...archived,
    kind: 'record_store',
    notices: [...archived.notices, { code: 'store_not_compared', index: null, detail }],
  };
}

function folderOf(given: string): Place {
  const dir = existsSync(join(given, LOG_ROOT)) ? given : join(given, 'archive');
  return {
    verify: (options) => verifyPath(existsSync(dir) ? dir : given, options),
    open: () => openLocalArchive({ dir, clock: systemClock }),
  };
}

function bucketOf(config: Config): Place {
  return {
    verify: (options) => verifyBucket(config, {}, options),
    // What is wrong with versions was reported by the verification before.
    open: () => openArchive(config, pino({ level: 'silent' })),
  };
}

async function compareRows(
  config: Config,
  place: Place,
  archived: VerificationReport,
  { onProgress }: VerifyOptions,
): Promise<VerificationReport> {
  const findings = createFindings();
  const records = await openRecords(config);
  try {
    const archive = await place.open();
    await verifyRecordStore({ archive, records, logs: await logNames(archive), findings, onProgress });
    await archive.close();
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

/** Looks at one key of each log. */
async function logNames(archive: Archive): Promise<string[]> {
  const names: string[] = [];
  let after: string | undefined;
  for (;;) {
    const name = (await firstKey(archive, after))?.split('/')[1];
    if (name === undefined) return names;
    names.push(name);
    // The character behind the slash: all keys of this log come before.
    after = `${LOG_ROOT}${name}0`;
  }
}

async function firstKey(archive: Archive, after: string | undefined): Promise<string | undefined> {
  for await (const key of archive.list(LOG_ROOT, after)) return key;
  return undefined;
}
