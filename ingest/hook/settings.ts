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

const TOKEN_VARIABLE = 'AFFIDAVIT_COLLECTOR_TOKEN';

const TEXT_OPTIONS = [
  ...['url', 'token-file', 'token-variable', 'spool', 'spool-bytes', 'spool-files', 'timeout'],
  ...['transcript-root', 'guards', 'heartbeat-interval'],
];
const FLAGS = ['transcripts', 'heartbeat', 'otel-headers', 'enforce', 'help'];
/** Seconds between two heartbeats, unless the command line says otherwise. */
const HEARTBEAT_S = 60;

export const USAGE = `Usage: affidavit hook [options]

Reads one hook event of a coding agent on standard input and delivers it to the collector. While the collector does
not answer, events wait in a spool folder and later calls send them in order. Prints only the decisions of guards;
exits with 0.

  --url <url>              collector, like http://127.0.0.1:4318 (also AFFIDAVIT_HOOK_URL)
  --token-file <file>      file that holds the token
  --token-variable <name>  variable that holds the token otherwise (default ${TOKEN_VARIABLE})
  --spool <dir>            spool folder (default: one per collector below ~/.local/state/affidavit/hook)
  --spool-bytes <n>        most bytes the spool holds (default ${BOUNDS.maxBytes})
  --spool-files <n>        most events the spool holds (default ${BOUNDS.maxFiles})
  --timeout <ms>           longest time in all, from ${LIMIT_MS.min} to ${LIMIT_MS.max} (default ${LIMIT_MS.preset})
  --transcripts            send the new lines of the transcripts that the event names
  --transcript-root <dir>  folder that may hold transcripts; may be repeated (default: home and CLAUDE_CONFIG_DIR)
  --guards <file>          judge prompts and calls of tools by the guards in this file
  --heartbeat              read nothing; send the waiting events and a heartbeat, for a timer
  --heartbeat-interval <s> how often the timer runs, or else the shortest time between heartbeats of other calls
                           (default ${HEARTBEAT_S})
  --otel-headers           print the headers of telemetry as JSON and do nothing else
  --enforce                exit with 2 and a reason if the event was neither delivered nor spooled, or the guards
                           are out of order; this stops the action that the event announces
`;

export type Settings = NonNullable<ReturnType<typeof readSettings>>;

/** Returns undefined if help was asked for. A wrong option is reported and its default used, because an agent waits. */
export function readSettings({ argv, env, note }: HookWorld) {
  const { textOf, textsOf, isGiven, hasUnknownOption } = readOptions(argv);
  if (isGiven('help')) return undefined;
  if (hasUnknownOption) note('affidavit hook: unknown option, see --help\n');
  const countOf = (name: string, preset: number) => toCount(name, textOf(name), preset, note);
  const given = urlOf(textOf('url') ?? env['AFFIDAVIT_HOOK_URL']);
  const url = isUsable(given) ? given : undefined;
  const tokenVariable = textOf('token-variable') ?? TOKEN_VARIABLE;
  const printsHeaders = isGiven('otel-headers');
  const isHeartbeat = isGiven('heartbeat');
  if (url === undefined && !printsHeaders)
    note('affidavit hook: no collector; give --url or AFFIDAVIT_HOOK_URL\n');
  return {
    url,
    token: readToken(textOf('token-file'), note) ?? env[tokenVariable],
    folder: textOf('spool') ?? defaultFolder(given, env['XDG_STATE_HOME']),
    limitMs: Math.min(Math.max(countOf('timeout', LIMIT_MS.preset), LIMIT_MS.min), LIMIT_MS.max),
    maxBytes: countOf('spool-bytes', BOUNDS.maxBytes),
    maxFiles: countOf('spool-files', BOUNDS.maxFiles),
    printsHeaders,
    // Guards without a file are out of order, not off.
    guards: isGiven('guards') ? textOf('guards', '') : undefined,
    isHeartbeat,
    heartbeat: {
      /** Each call of a timer sends a heartbeat, other calls at most one in the interval. */
      sentBy: isHeartbeat ? ('timer' as const) : ('call' as const),
      intervalMs: 1000 * Math.max(1, countOf('heartbeat-interval', HEARTBEAT_S)),
    },
    sendsTranscripts: isGiven('transcripts'),
    transcriptRoots: rootsOf(textsOf('transcript-root'), env),
  };
}

function readOptions(argv: readonly string[]) {
  const options: Record<string, { readonly type: 'string' | 'boolean'; readonly multiple: true }> = {};
  for (const name of TEXT_OPTIONS) options[name] = { type: 'string', multiple: true };
  for (const name of FLAGS) options[name] = { type: 'boolean', multiple: true };
  const { values } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true });
  const given = (name: string): readonly unknown[] => [values[name] ?? []].flat();
  const textsOf = (name: string): string[] => given(name).filter((value) => typeof value === 'string');
  return {
    textsOf,
    textOf: (name: string, preset?: string) => textsOf(name).at(-1) ?? preset,
    isGiven: (name: string) => given(name).length > 0,
    hasUnknownOption: Object.keys(values).some((name) => !(name in options)),
  };
}

function urlOf(text = ''): string {
  return text.replace(/\/+$/, '');
}

function isUsable(url: string): boolean {
  return /^https?:/.test(url) && URL.canParse(url);
}

function toCount(name: string, text: string | undefined, preset: number, note: HookWorld['note']): number {
  if (text === undefined) return preset;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  note(`affidavit hook: --${name} takes a number\n`);
  return preset;
}

function rootsOf(given: readonly string[], env: HookWorld['env']): readonly string[] {
  return given.length > 0 ? given : [homedir(), env['CLAUDE_CONFIG_DIR'] ?? ''];
}

function readToken(path: string | undefined, note: HookWorld['note']): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8').trim();
  } catch (error) {
    note(`affidavit hook: the token file cannot be read: ${codeOf(error)}\n`);
    return undefined;
  }
}

/** Each collector has its folder, so that no event goes to another collector than it was meant for. */
function defaultFolder(url: string, stateHome = ''): string {
  const base = isAbsolute(stateHome) ? stateHome : join(homedir(), '.local', 'state');
  return join(base, 'affidavit', 'hook', sha256(url).slice(0, 16));
}
