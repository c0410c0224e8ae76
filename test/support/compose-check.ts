/** The parser of `docker compose`, as a program built from test/support/compose-check with Go. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { FoundEngine } from './s3-server.ts';

const SOURCE = join(import.meta.dirname, 'compose-check');
const BUILD_LIMIT_MS = 5 * 60 * 1000;

export interface ComposeRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Builds the program into a folder of the caller; Go keeps what it fetched and compiled, so only the first build takes
 * longer than a second. Otherwise the reason, printed; with CI=true a failed build is an error.
 */
export function buildComposeCheck(folder: string): FoundEngine {
  const path = join(folder, 'compose-check');
  const built = spawnSync('go', ['build', '-o', path, '.'], {
    cwd: SOURCE,
    encoding: 'utf8',
    timeout: BUILD_LIMIT_MS,
  });
  if (built.status === 0) return { path };
  const messages = built.error?.message ?? built.stderr;
  const reason = `compose-check could not be built, which needs Go: ${messages.trim().slice(-1000)}`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return { reason };
}

/** Reads a compose file with these variables and no others. */
export function readCompose(
  program: string,
  file: string,
  variables: Readonly<Record<string, string>>,
): ComposeRun {
  const { status, stdout, stderr } = spawnSync(program, [file], { env: { ...variables }, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}
