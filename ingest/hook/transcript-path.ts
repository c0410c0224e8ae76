import * as fs from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, relative, sep } from 'node:path';

/** Members of hook events that name a transcript. */
const MEMBERS = ['transcript_path', 'agent_transcript_path'] as const;
/** Events at which a transcript has grown. */
const EVENTS: readonly unknown[] = ['Stop', 'SubagentStop', 'SessionEnd'];

/** The transcripts that an event names; empty unless the event is one at which they are sent. */
export function transcriptsOf(event: Buffer): string[] {
  const { hook_event_name, ...members } = toObject(event);
  if (!EVENTS.includes(hook_event_name)) return [];
  const named = MEMBERS.map((name) => members[name]).filter(
    (path) => typeof path === 'string' && path !== '',
  );
  return [...new Set(named as string[])];
}

/** The members of a JSON object; empty for any other text. */
export function toObject(json: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

/**
 * Returns the path of a transcript without links, undefined if it does not exist, and false if it must not be read. A
 * prompt can influence an event, so the event must not choose which files leave the machine. After all links are
 * followed, the path has to be a `.jsonl` file below one of the roots.
 */
export function locateTranscript(path: string, roots: readonly string[]): string | false | undefined {
  const full = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
  if (!isAbsolute(full) || !full.endsWith('.jsonl')) return false;
  const real = realPath(full);
  if (real === undefined) return undefined;
  return real.endsWith('.jsonl') && roots.some((root) => isBelow(real, root)) ? real : false;
}

/**
 * Opens a transcript for reading. Returns undefined if the file is gone, is not a plain file of the current user, or
 * was replaced by a link since it was located. The caller closes it.
 */
export function openTranscript(path: string): number | undefined {
  let file: number;
  try {
    // O_NONBLOCK, because opening a pipe would wait.
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
  // A root that is the whole file system would allow every file.
  if (realRoot === undefined || realRoot === sep) return false;
  const inside = relative(realRoot, path);
  return inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
}

function realPath(path: string): string | undefined {
  try {
    return fs.realpathSync(path);
  } catch {
    return undefined;
  }
}
