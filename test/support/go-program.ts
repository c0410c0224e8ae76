import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { FoundEngine } from './s3-server.ts';

const BUILD_LIMIT_MS = 5 * 60 * 1000;

/** The end of a program that was run. */
export interface ProgramRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Builds the Go program of this name, whose source lies beside this file, into a folder of the caller. Go keeps what it
 * fetched and compiled, so only the first build takes longer than a second. Otherwise the reason, printed; with CI=true a
 * failed build is an error.
 */
export function buildGoProgram(name: string, folder: string): FoundEngine {
  const path = join(folder, name);
  const built = spawnSync('go', ['build', '-o', path, '.'], {
    cwd: join(import.meta.dirname, name),
    encoding: 'utf8',
    timeout: BUILD_LIMIT_MS,
  });
  if (built.status === 0) return { path };
  const messages = built.error?.message ?? built.stderr;
  const reason = `${name} could not be built, which needs Go: ${messages.trim().slice(-1000)}`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return { reason };
}
