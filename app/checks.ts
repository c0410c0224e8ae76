/**
 * Checks of an engine before it is trusted and of the evidence in it: the probe of a bucket, the verification of an
 * archive in a bucket, and the comparison of the record store with the archive.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createContext, SYSTEM, type AppContext } from './context.ts';
import { openArchive, openRecords, s3ConnectionOf } from './engines.ts';
import { withKeyStore } from './key-store.ts';
import { dataPaths } from './paths.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';
import { HEAD_LOG } from '../schemas/head-entry.ts';
import { PROBES, refusals, type ProbeFinding, type ProbeReport } from '../schemas/probe.ts';
import type { VerificationReport } from '../schemas/verification.ts';
import type { Archive } from '../store/archive/archive.ts';
import { checkArchivePrefix } from '../store/archive/archive-key.ts';
import type { S3Connection } from '../store/archive/s3/client.ts';
import { LOG_ROOT } from '../store/chain/layout.ts';
import type { ArchiveReader } from '../store/verify/archive-reader.ts';
import type { FindKeys } from '../store/verify/framed-payloads.ts';
import type { VerifyOptions } from '../store/verify/report.ts';

export interface ProbeTarget extends S3Connection {
  readonly prefix?: string | undefined;
  readonly part: ProbeReport['part'];
  readonly onStep?: ((name: string) => void) | undefined;
}

/** Probes a bucket. Throws ARCHIVE_UNAVAILABLE if it does not answer. */
export async function probeBucket(target: ProbeTarget, system = SYSTEM): Promise<ProbeReport> {
  const [{ openBucket }, { probeStore }] = await Promise.all([
    import('../store/archive/s3/client.ts'),
    import('../store/archive/s3/probe-store.ts'),
  ]);
  const bucket = openBucket(target);
  try {
    const { clock, newId, sleep } = system;
    return await probeStore(bucket, { ...target, id: newId(), clock, sleep: (ms) => sleep(ms) });
  } finally {
    bucket.client.destroy();
  }
}

/**
 * Probes the configured bucket before anything is written to it, and refuses one that does not keep its locks. Resolves
 * with undefined if the archive is a folder. Throws START_REFUSED with every property that is missing, and
 * ARCHIVE_UNAVAILABLE if the bucket does not answer.
 */
export async function probeAtStart({ config, logger, system }: AppContext): Promise<ProbeReport | undefined> {
  const { bucket, prefix, dangerously_single_sequencer: isSingleSequencer } = config.s3;
  if (bucket === undefined) return undefined;
  const report = await probeBucket({ ...s3ConnectionOf(config), prefix, part: 'quick' }, system);
  const refused = refusals(report, { isSingleSequencer });
  if (refused.length > 0) throw new PipelineError('START_REFUSED', describeRefusal(report, refused));
  const { endpoint, duration_ms: durationMs, findings } = report;
  const log = logger.child({ role: 'archive', bucket });
  log.info({ endpoint, durationMs, probeCount: findings.length }, 'the bucket was probed');
  const forgiven = findings.filter(({ ok }) => !ok).map(({ code }) => code);
  if (forgiven.length > 0) {
    log.warn(
      { forgiven },
      'the bucket does not create exclusively; s3.dangerously_single_sequencer promises that no second process ever seals, or the log forks',
    );
  }
  return report;
}

function describeRefusal(
  { bucket, endpoint, findings }: ProbeReport,
  refused: readonly ProbeFinding[],
): string {
  const lines = refused.flatMap(({ code, name, observed }) => [
    `  ${code}: ${name}; ${observed}`,
    `    means: ${PROBES[code].meaning}`,
    `    do:    ${PROBES[code].action}`,
  ]);
  const store = `the bucket ${bucket} at ${endpoint ?? 'AWS'}`;
  const count = `${String(refused.length)} of ${String(findings.length)} properties missing`;
  return `${store} must not hold the archive: ${count}\n${lines.join('\n')}`;
}

export interface BucketTarget {
  /** Instead of the configured bucket. */
  readonly bucket?: string | undefined;
  /** Instead of the configured prefix. */
  readonly prefix?: string | undefined;
}

/**
 * Verifies an archive in a bucket from its own objects. The rights to list and read suffice, and of this machine only
 * the configured endpoint, region and keys are used. Throws ARCHIVE_UNAVAILABLE if the bucket cannot be read.
 */
export async function verifyBucket(
  config: Pick<Config, 's3'>,
  target: BucketTarget,
  options: VerifyOptions,
): Promise<VerificationReport> {
  const { verifyReader } = await import('../store/verify/verify-archive.ts');
  return withBucketReader(config, target, (reader) => verifyReader(reader, options));
}

/** Reads an archive in a bucket as verification does. Throws ARCHIVE_UNAVAILABLE if the bucket cannot be read. */
export async function withBucketReader<T>(
  { s3 }: Pick<Config, 's3'>,
  target: BucketTarget,
  run: (reader: ArchiveReader) => Promise<T>,
): Promise<T> {
  const { bucket: name = s3.bucket, prefix = s3.prefix } = target;
  checkArchivePrefix(prefix);
  const [{ openBucket }, { openS3Reader }, { RETRY_LIMITS }, { requireBucket }] = await Promise.all([
    import('../store/archive/s3/client.ts'),
    import('../store/archive/s3/archive-reader.ts'),
    import('../store/archive/s3/retry.ts'),
    import('../store/archive/s3/versions.ts'),
  ]);
  const wanted = name === undefined ? s3 : { ...s3, bucket: name };
  const bucket = openBucket(s3ConnectionOf({ s3: wanted }));
  try {
    await requireBucket(bucket, prefix);
    const { random, sleep } = SYSTEM;
    const retrying = { limits: RETRY_LIMITS, random, sleep: (ms: number) => sleep(ms) };
    return await run(openS3Reader({ bucket, prefix, retrying }));
  } finally {
    bucket.client.destroy();
  }
}

export interface VerifyStoreOptions extends VerifyOptions {
  /** Archive to compare the record store with. @default the archive of the deployment */
  readonly archiveDir?: string | undefined;
}

/** An archive that can be verified and then read. */
interface VerifiableArchive {
  readonly verify: (options: VerifyOptions) => Promise<VerificationReport>;
  readonly open: () => Promise<Archive>;
}

/**
 * Verifies an archive, and if it is sound compares every row of the configured record store with it. Throws
 * START_REFUSED if the record store is missing or in use by another process.
 */
export async function verifyStore(
  config: Config,
  { archiveDir, ...options }: VerifyStoreOptions,
): Promise<VerificationReport> {
  const paths = dataPaths(config);
  if (config.clickhouse.url === undefined && !existsSync(paths.records)) {
    throw new PipelineError('START_REFUSED', `${config.data} holds no record store`);
  }
  // The verification reports every defect of an object, so the archive need not log it a second time.
  const context = createContext({ ...config, log_level: 'silent' });
  const isInBucket = archiveDir === undefined && config.s3.bucket !== undefined;
  const source = isInBucket ? bucketOf(context) : folderOf(archiveDir ?? paths.archive);
  return withKeyStore(context, (findKeys) => verifyBoth(context, source, { ...options, findKeys }));
}

/** The archive, and where it is sound the rows. */
async function verifyBoth(
  context: AppContext,
  source: VerifiableArchive,
  options: VerifyOptions & { readonly findKeys: FindKeys },
): Promise<VerificationReport> {
  const archived = await source.verify(options);
  if (archived.kind === 'package')
    throw new PipelineError('CONFIG_INVALID', 'this is a package; --store needs an archive');
  if (archived.ok) return compareRows(context, source, archived, options);
  const detail = 'the archive is not sound, so the record store was not compared with it';
  return {
    ...archived,
    kind: 'record_store',
    notices: [...archived.notices, { code: 'store_not_compared', index: null, detail }],
  };
}

function folderOf(given: string): VerifiableArchive {
  const dir = existsSync(join(given, LOG_ROOT)) ? given : join(given, 'archive');
  return {
    verify: async (options) => {
      const { verifyPath } = await import('../store/verify/verify-path.ts');
      return verifyPath(existsSync(dir) ? dir : given, options);
    },
    open: async () => {
      const { openLocalArchive } = await import('../store/archive/local/archive.ts');
      return openLocalArchive({ dir, clock: SYSTEM.clock });
    },
  };
}

function bucketOf(context: AppContext): VerifiableArchive {
  return {
    verify: (options) => verifyBucket(context.config, {}, options),
    open: () => openArchive(context),
  };
}

async function compareRows(
  context: AppContext,
  source: VerifiableArchive,
  archived: VerificationReport,
  { onProgress, findKeys }: VerifyOptions & { readonly findKeys: FindKeys },
): Promise<VerificationReport> {
  const [{ buildReport, createFindings }, { verifyRecordStore }] = await Promise.all([
    import('../store/verify/report.ts'),
    import('../store/verify/store/store-verification.ts'),
  ]);
  const findings = createFindings();
  const records = await openRecords(context);
  try {
    const archive = await source.open();
    const logs = await logNames(archive);
    const dataKeys = { find: findKeys };
    await verifyRecordStore({ archive, dataKeys, records, logs, findings, onProgress });
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

/** Names of the logs of records. Reads one key of each log. */
async function logNames(archive: Archive): Promise<string[]> {
  const names: string[] = [];
  let after: string | undefined;
  for (;;) {
    const name = (await firstKey(archive, after))?.split('/')[1];
    if (name === undefined) return names;
    if (name !== HEAD_LOG) names.push(name);
    // '0' follows '/' in the order of characters, so this is behind all keys of the log.
    after = `${LOG_ROOT}${name}0`;
  }
}

async function firstKey(archive: Archive, after: string | undefined): Promise<string | undefined> {
  for await (const key of archive.list(LOG_ROOT, after)) return key;
  return undefined;
}
