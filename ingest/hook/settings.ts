import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { sha256 } from './digest.ts';
import { codeOf } from './error-code.ts';
import type { Bounds, HookWorld } from './world.ts';

export const LIMIT_MS = { preset: 2000, min: 200, max: 60_000 } as const;
const MEBIBYTE = 1024 * 1024;
const BOUNDS: Bounds = { maxBytes: 64 * MEBIBYTE, maxFiles: 10_000 };

export const USAGE = `Usage: affidavit hook [options]

Reads one hook event of a coding agent on standard input and delivers it to the collector. While the collector is
away, events wait in a spool folder and are sent in order by later calls. Prints nothing; exits with 0.

  --url <url>           collector, like http://127.0.0.1:4318 (also AFFIDAVIT_HOOK_URL)
  --token-file <file>   file that holds the token (otherwise AFFIDAVIT_COLLECTOR_TOKEN)
  --spool <dir>         spool folder (default: one per collector below ~/.local/state/affidavit/hook)
  --spool-bytes <n>     most bytes the spool holds (default ${BOUNDS.maxBytes})
  --spool-files <n>     most events the spool holds (default ${BOUNDS.maxFiles})
  --timeout <ms>        longest time in all, from ${LIMIT_MS.min} to ${LIMIT_MS.max} (default ${LIMIT_MS.preset})
  --enforce             exit with 2 and a reason if the event was neither delivered nor spooled
`;

export type Settings = NonNullable<ReturnType<typeof readSettings>>;

/** undefined if help was asked for. What is wrong with an option is said, and its default taken: an agent waits. */
export function readSettings({ argv, env, note }: HookWorld) {
  const names = ['url', 'token-file', 'spool', 'spool-bytes', 'spool-files', 'timeout'];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true });
  if (values['help'] === true) return undefined;
  if (Object.keys(values).some((name) => name !== 'enforce' && !names.includes(name))) {
    note('affidavit hook: unknown option, see --help\n');
  }
  const textOf = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  const countOf = (name: string, preset: number): number => {
    const text = textOf(name) ?? String(preset);
    if (/^[0-9]{1,15}$/.test(text)) return Number(text);
    note(`affidavit hook: --${name} takes a number\n`);
    return preset;
  };
  const url = (textOf('url') ?? env['AFFIDAVIT_HOOK_URL'] ?? '').replace(/\/+$/, '');
  const isUsable = /^https?:/.test(url) && URL.canParse(url);
  if (!isUsable) note('affidavit hook: no collector; give --url or AFFIDAVIT_HOOK_URL\n');
  return {
    url: isUsable ? url : undefined,
    token: readToken(textOf('token-file'), note) ?? env['AFFIDAVIT_COLLECTOR_TOKEN'],
    folder: textOf('spool') ?? defaultFolder(url, env['XDG_STATE_HOME'] ?? ''),
    limitMs: Math.min(Math.max(countOf('timeout', LIMIT_MS.preset), LIMIT_MS.min), LIMIT_MS.max),
    maxBytes: countOf('spool-bytes', BOUNDS.maxBytes),
    maxFiles: countOf('spool-files', BOUNDS.maxFiles),
  };
}

function readToken(path: string | undefined, note: HookWorld['note']): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8').trim();
  } catch (error) {
    note(`affidavit hook: the token file cannot be read: ${codeOf(error)}\n`);
    return undefined;
  }
}

/** One folder per collector, so that no event goes to another one than it was meant for. */
function defaultFolder(url: string, stateHome: string): string {
  const base = isAbsolute(stateHome) ? stateHome : join(homedir(), '.local', 'state');
  return join(base, 'affidavit', 'hook', sha256(url).slice(0, 16));
}
