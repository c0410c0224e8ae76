/** The parser of `docker compose`, as a program built from test/support/compose-check with Go. */
import { spawnSync } from 'node:child_process';
import type { ProgramRun } from './go-program.ts';

/** Reads a compose file with these variables and no others. */
export function readCompose(
  program: string,
  file: string,
  variables: Readonly<Record<string, string>>,
): ProgramRun {
  const { status, stdout, stderr } = spawnSync(program, [file], { env: { ...variables }, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}
