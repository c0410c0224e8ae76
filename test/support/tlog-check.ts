/** Checks of a served log with code of others: Tessera's fsck and golang.org/x/mod/sumdb, built from test/support/tlog-check with Go. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { FoundEngine } from './s3-server.ts';

const SOURCE = join(import.meta.dirname, 'tlog-check');
const BUILD_LIMIT_MS = 5 * 60 * 1000;

export interface TlogCheckRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Builds the program into a folder of the caller. Otherwise the reason, printed; with CI=true a failed build is an error. */
export function buildTlogCheck(folder: string): FoundEngine {
  const path = join(folder, 'tlog-check');
  const built = spawnSync('go', ['build', '-o', path, '.'], {
    cwd: SOURCE,
    encoding: 'utf8',
    timeout: BUILD_LIMIT_MS,
  });
  if (built.status === 0) return { path };
  const messages = built.error?.message ?? built.stderr;
  const reason = `tlog-check could not be built, which needs Go: ${messages.trim().slice(-1000)}`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return { reason };
}

/** Checks the log whose paths begin with `url`. The server may run in this process. */
export async function checkTlog(
  program: string,
  log: { readonly url: string; readonly vkeyFile: string; readonly token: string },
): Promise<TlogCheckRun> {
  const child = spawn(program, [log.url, log.vkeyFile, log.token], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
