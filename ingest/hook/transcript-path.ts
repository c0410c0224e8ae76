import * as fs from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, relative, sep } from 'node:path';

/** Members of hook events that name a transcript. */
const MEMBERS = ['transcript_path', 'agent_transcript_path'] as const;
/** At these a transcript has grown. */
const EVENTS: readonly unknown[] = ['Stop', 'SubagentStop', 'SessionEnd'];

/** The transcripts that an event names and that it is time to read; none for anything that is no such event. */
export function transcriptsOf(event: Buffer): string[] {
  const { hook_event_name, ...members } = toObject(event);
  if (!EVENTS.includes(hook_event_name)) return [];
  const named = MEMBERS.map((name) => members[name]).filter(
    (path) => typeof path === 'string' && path !== '',
  );
  return [...new Set(named as string[])];
}

/** The members of a JSON object; none for anything else. */
export function toObject(json: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

/**
 * Where a transcript really lies, undefined if there is none, and false if it is not to be read: an event is what an
 * agent was made to say, and must not choose which files leave the machine. It has to be a `.jsonl` file below one
 * of the roots after all links are followed.
 */
export function locateTranscript(path: string, roots: readonly string[]): string | false | undefined {
  const full = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
  if (!isAbsolute(full) || !full.endsWith('.jsonl')) return false;
  const real = realPath(full);
  if (real === undefined) return undefined;
  return real.endsWith('.jsonl') && roots.some((root) => isBelow(real, root)) ? real : false;
}

/**
 * Opens it for reading; undefined if it is gone, or is no plain file of the person who runs this, or was replaced by
 * a link since it was located. The caller closes it.
 */
export function openTranscript(path: string): number | undefined {
  let file: number;
  try {
    // Without waiting, should it be a pipe.
    file = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const found = fs.fstatSync(file);
  if (found.isFile() && found.uid === (process.getuid?.() ?? found.uid)) return file;
  fs.closeSync(file);
  return undefined;
}

function isBelow(path: string, root: string): boolean {
  const realRoot = isAbsolute(root) ? realPath(root) : undefined;
  // A home that is the whole file system bounds nothing.
  if (realRoot === undefined || realRoot === sep) return false;
  const way = relative(realRoot, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function realPath(path: string): string | undefined {
  try {
    return fs.realpathSync(path);
  } catch {
    return undefined;
  }
}
