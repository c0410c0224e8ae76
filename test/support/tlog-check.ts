/** Checks of a served log with code of others: Tessera's fsck and golang.org/x/mod/sumdb, built from test/support/tlog-check with Go. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ProgramRun } from './go-program.ts';

/** Checks the log whose paths begin with `url`. The server may run in this process. */
export async function checkTlog(
  program: string,
  log: { readonly url: string; readonly vkeyFile: string; readonly token: string },
): Promise<ProgramRun> {
  const child = spawn(program, [log.url, log.vkeyFile, log.token], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
