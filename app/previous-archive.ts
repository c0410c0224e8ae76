/** The archive of the generation before, which nobody writes any more: a folder, or a prefix of a bucket. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { withBucketReader } from './checks.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';
import { LOG_ROOT } from '../store/chain/layout.ts';
import type { ArchiveReader } from '../store/verify/archive-reader.ts';

/**
 * Reads an archive folder, the archive in a data folder, or `s3://BUCKET/PREFIX` with the configured rights. Asks for the
 * configuration for a bucket alone. Throws NOT_FOUND where a folder holds no archive.
 */
export async function withPreviousArchive<T>(
  readConfig: () => Pick<Config, 's3'>,
  path: string,
  run: (reader: ArchiveReader) => Promise<T>,
): Promise<T> {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(path) ?? [];
  if (bucket !== undefined) {
    const named = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
    return withBucketReader(readConfig(), { bucket, prefix: named }, run);
  }
  const dir = [path, join(path, 'archive')].find((one) => existsSync(join(one, LOG_ROOT)));
  if (dir === undefined)
    throw new PipelineError('NOT_FOUND', `${path} holds no archive`, {
      hint: 'name the folder of the previous archive (it holds a folder `log`), or s3://BUCKET/PREFIX',
    });
  const { openFolderReader } = await import('../store/verify/folder-reader.ts');
  return run(openFolderReader(dir));
}
