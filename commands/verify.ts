import { readFile } from 'node:fs/promises';
import type { BucketTarget } from '../app/checks.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { VerificationReport } from '../schemas/verification.ts';
import { parseVkey } from '../store/chain/note.ts';
import type { FindKeys } from '../store/verify/framed-payloads.ts';
import { verifyPath } from '../store/verify/verify-path.ts';
import {
  renderReport,
  type CheckPrevious,
  type KeptCheckpoint,
  type VerifyOptions,
} from '../store/verify/report.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';

export interface VerifyCommandOptions {
  /** C2SP verifier keys to pin. */
  readonly key?: readonly string[];
  /** Files of checkpoints that were kept elsewhere. */
  readonly checkpoint?: readonly string[];
  readonly json: boolean;
  /** Archive of the generation before: a folder, or `s3://BUCKET/PREFIX`. */
  readonly previous?: string | undefined;
  /** Opens the frames of an archive. Without it they stay sealed. */
  readonly findKeys?: FindKeys | undefined;
  /** Opens the archive of the generation before. */
  readonly checkPrevious?: CheckPrevious | undefined;
}

/** Verifies a package or an archive folder and prints the verdict. Resolves with whether it is good. */
export function verify(path: string, options: VerifyCommandOptions, output: Output): Promise<boolean> {
  return printVerdict((verifyOptions) => verifyPath(path, verifyOptions), options, output);
}

/**
 * Verifies an archive in a bucket with the configured rights to read and prints the verdict. Without a path it is the
 * configured bucket and prefix. Resolves with whether it is good.
 */
export async function verifyS3(
  config: Config,
  path: string | undefined,
  options: VerifyCommandOptions,
  output: Output,
): Promise<boolean> {
  const target = path === undefined ? {} : parseTarget(path);
  const { verifyBucket } = await import('../app/checks.ts');
  return printVerdict((verifyOptions) => verifyBucket(config, target, verifyOptions), options, output);
}

/**
 * Verifies the archive of the configured deployment, or a copy of it, then compares each row of the record store with
 * it, and prints the verdict. Resolves with whether it is good.
 */
export async function verifyStoreRows(
  config: Config,
  archiveDir: string | undefined,
  options: VerifyCommandOptions,
  output: Output,
): Promise<boolean> {
  const { verifyStore } = await import('../app/checks.ts');
  return printVerdict(
    (verifyOptions) => verifyStore(config, { ...verifyOptions, archiveDir }),
    options,
    output,
  );
}

/** Runs a verification that opens frames with the keys of the configured key store. */
export async function withConfiguredKeys<T>(
  config: Config,
  run: (findKeys: FindKeys) => Promise<T>,
): Promise<T> {
  const [{ createContext }, { withKeyStore }] = await Promise.all([
    import('../app/context.ts'),
    import('../app/key-store.ts'),
  ]);
  return withKeyStore(createContext(config), run);
}

/** Runs a verification that compares the logs with those of the archive of the generation before. */
export async function withPrevious<T>(
  readConfig: () => Config,
  { previous = '', findKeys }: Pick<VerifyCommandOptions, 'previous' | 'findKeys'>,
  run: (checkPrevious: CheckPrevious) => Promise<T>,
): Promise<T> {
  const [{ withPreviousArchive }, { previousIn }] = await Promise.all([
    import('../app/previous-archive.ts'),
    import('../store/verify/previous-archive.ts'),
  ]);
  return withPreviousArchive(readConfig, previous, (reader) => run(previousIn(reader, { findKeys })));
}

/** The checkpoints in files; throws NOT_FOUND for a file that cannot be read. */
export async function readCheckpoints(paths: readonly string[]): Promise<KeptCheckpoint[]> {
  const kept: KeptCheckpoint[] = [];
  for (const path of paths) {
    const note = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new PipelineError('NOT_FOUND', `the checkpoint ${path} cannot be read`, {
        cause,
        hint: 'give the file of a checkpoint that was kept elsewhere',
      });
    });
    kept.push({ name: path, note });
  }
  return kept;
}

/** `s3://BUCKET/PREFIX`; a prefix in the configured bucket, which ends in a slash; or the name of a bucket. */
export function parseTarget(path: string): BucketTarget {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(path) ?? [];
  if (bucket !== undefined)
    return { bucket, prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/` };
  if (path.endsWith('/')) return { prefix: path };
  if (!path.includes('/')) return { bucket: path };
  throw new PipelineError(
    'USAGE_INVALID',
    `${path} is neither s3://BUCKET/PREFIX, nor a bucket, nor a prefix that ends in /`,
  );
}

/** Runs a verification with progress and prints its report. Resolves with whether the evidence is good. */
async function printVerdict(
  run: (options: VerifyOptions) => Promise<VerificationReport>,
  { key, checkpoint = [], json, findKeys, checkPrevious }: VerifyCommandOptions,
  output: Output,
): Promise<boolean> {
  requireKeys(key);
  const progress = createProgress(json ? { ...output, isTerminal: false } : output);
  const report = await run({
    pinnedVkeys: key,
    findKeys,
    checkPrevious,
    keptCheckpoints: await readCheckpoints(checkpoint),
    onProgress: ({ step, done, total }) => {
      progress.step(`${step}: ${String(done)}${total === undefined ? '' : ` of ${String(total)}`}`);
    },
  });
  progress.done();
  output.write(json ? toJsonLine(report) : renderReport(report));
  return report.ok;
}

/** A key that cannot be one says nothing about the evidence. */
function requireKeys(keys: readonly string[] = []): void {
  for (const key of keys) {
    if (parseVkey(key) !== undefined) continue;
    throw new PipelineError('USAGE_INVALID', `--key ${key} is not a verifier key, NAME+ID+KEY`, {
      hint: 'the operator of the log prints it with `affidavit init`; quote it for the shell',
    });
  }
}
