import { verifyBucket, type BucketTarget } from '../app/bucket-check.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { Output } from './output.ts';
import { printVerdict, type VerifyCommandOptions } from './verify.ts';

/**
 * Verifies an archive in a bucket with whatever rights to read are configured and prints the verdict; resolves whether
 * it is good. Without a path it is the configured bucket and prefix.
 */
export async function verifyS3(
  config: Config,
  path: string | undefined,
  options: VerifyCommandOptions,
  output: Output,
): Promise<boolean> {
  const target = path === undefined ? {} : parseTarget(path);
  return printVerdict((verifyOptions) => verifyBucket(config, target, verifyOptions), options, output);
}

/** `s3://BUCKET/PREFIX`; what ends in a slash is a prefix in the configured bucket; else the name of a bucket. */
export function parseTarget(path: string): BucketTarget {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(path) ?? [];
  if (bucket !== undefined)
    return { bucket, prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/` };
  if (path.endsWith('/')) return { prefix: path };
  if (!path.includes('/')) return { bucket: path };
  throw new PipelineError(
    'CONFIG_INVALID',
    `${path} is neither s3://BUCKET/PREFIX, nor a bucket, nor a prefix that ends in /`,
  );
}
