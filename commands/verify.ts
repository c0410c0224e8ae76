import { readFile } from 'node:fs/promises';
import { PipelineError } from '../schemas/errors.ts';
import type { VerificationReport } from '../schemas/verification.ts';
import { verifyPath } from '../store/verify/verify-path.ts';
import { renderReport, type KeptCheckpoint, type VerifyOptions } from '../store/verify/report.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';

export interface VerifyCommandOptions {
  /** C2SP verifier keys to pin. */
  readonly key?: readonly string[];
  /** Files of checkpoints that were kept elsewhere. */
  readonly checkpoint?: readonly string[];
  readonly json: boolean;
}

/** Verifies a package or an archive folder and prints the verdict; resolves whether it is good. */
export function verify(path: string, options: VerifyCommandOptions, output: Output): Promise<boolean> {
  return printVerdict((verifyOptions) => verifyPath(path, verifyOptions), options, output);
}

/** Runs a verification with progress and prints what it found; resolves whether it is good. */
export async function printVerdict(
  run: (options: VerifyOptions) => Promise<VerificationReport>,
  { key, checkpoint = [], json }: VerifyCommandOptions,
  output: Output,
): Promise<boolean> {
  const progress = createProgress(json ? { ...output, isTerminal: false } : output);
  const report = await run({
    pinnedVkeys: key,
    keptCheckpoints: await readCheckpoints(checkpoint),
    onProgress: ({ step, done, total }) => {
      progress.step(`${step}: ${String(done)}${total === undefined ? '' : ` of ${String(total)}`}`);
    },
  });
  progress.done();
  output.write(json ? toJsonLine(report) : renderReport(report));
  return report.ok;
}

async function readCheckpoints(paths: readonly string[]): Promise<KeptCheckpoint[]> {
  const kept: KeptCheckpoint[] = [];
  for (const path of paths) {
    const note = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new PipelineError('NOT_FOUND', `the checkpoint ${path} cannot be read`, { cause });
    });
    kept.push({ name: path, note });
  }
  return kept;
}
