/** Opens the archive that the configuration names, bound to clock, chance and log. Part of the composition root. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { dataPaths, systemClock } from './paths.ts';
import type { Config } from '../config.ts';
import type { ArchiveTampering } from '../schemas/archive-tampering.ts';
import { toInstant } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { Archive } from '../store/archive/archive.ts';
import { openLocalArchive } from '../store/archive/local/archive.ts';
import type { S3Connection } from '../store/archive/s3/client.ts';
import type { Tampering } from '../store/archive/s3/stored-version.ts';

export interface OpenArchiveOptions {
  /**
   * Called once for each finding of this process, in the middle of a read or a write, which goes on unharmed. Must not
   * throw. A folder has no versions and so no such findings.
   */
  readonly onTampering?: ((key: string, finding: ArchiveTampering) => void) | undefined;
}

/** The archive in the configured bucket, else in the data folder. Asks the bucket nothing: `probeAtStart` does. */
export async function openArchive(
  config: Config,
  logger: Logger,
  { onTampering }: OpenArchiveOptions = {},
): Promise<Archive> {
  if (config.s3.bucket === undefined) {
    return openLocalArchive({ dir: dataPaths(config).archive, clock: systemClock });
  }
  // A deployment on a folder need not load the client of a bucket: it takes a tenth of a second and 24 MB.
  const { openS3Archive } = await import('../store/archive/s3/archive.ts');
  const connection = s3ConnectionOf(config);
  const log = logger.child({ role: 'archive', bucket: connection.bucket });
  return openS3Archive({
    ...connection,
    prefix: config.s3.prefix,
    random: () => Math.random(),
    newPutId: () => randomUUID(),
    sleep: (ms) => sleep(ms),
    onTampering: (key, what) => {
      const finding = toFinding(config, connection, what);
      const { kind, truth_version_id, other_version_ids } = finding;
      log.error({ key, kind, truth_version_id, other_version_ids }, 'archive object was tampered with');
      onTampering?.(key, finding);
    },
    onRetry: (attempt, cause) => {
      log.warn({ attempt, cause }, 'the bucket did not do what it was asked, trying again');
    },
  });
}

/** How to reach the configured bucket. Throws CONFIG_INVALID where none is configured. */
export function s3ConnectionOf({ s3 }: Pick<Config, 's3'>): S3Connection {
  const { bucket, endpoint, region, access_key_id, secret_access_key } = s3;
  if (bucket === undefined) {
    throw new PipelineError('CONFIG_INVALID', 'no bucket is configured: set s3.bucket (AFFIDAVIT_S3_BUCKET)');
  }
  const credentials =
    access_key_id === undefined || secret_access_key === undefined
      ? undefined
      : { accessKeyId: access_key_id, secretAccessKey: secret_access_key };
  return { bucket, endpoint, region, credentials };
}

function toFinding(
  { s3 }: Config,
  { endpoint, bucket }: S3Connection,
  { kind, truthVersionId, otherVersionIds }: Tampering,
): ArchiveTampering {
  return {
    v: 1,
    kind,
    endpoint: endpoint ?? null,
    bucket,
    prefix: s3.prefix,
    truth_version_id: truthVersionId ?? null,
    other_version_ids: [...otherVersionIds],
    found_at: toInstant(systemClock()),
  };
}
