import { isAscii } from 'node:buffer';
import { endOfString } from '../../connectors/wire/json/tokens.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Marks } from './redact-text.ts';

/** No sender nests like this; each level has to be remembered for the names in it. */
const MAX_DEPTH = 10_000;
/** OTLP/JSON gives a value in a member of this name, and its name in a member of that one beside or around it. */
const VALUE_MEMBER = 'stringValue';
const NAME_MEMBER = 'key';

/** A string token in the text, quotes included. */
interface Token {
  readonly at: number;
  readonly end: number;
  readonly text: string;
}

interface Frame {
  readonly isObject: boolean;
  expectsName: boolean;
  name: string;
  /** What the object says that its value is called, where it does. */
  key: string | undefined;
  /** Values whose name may yet be told, by this object or by one around it. */
  unnamed: Token[];
}

interface Walk {
  readonly text: string;
  readonly marks: Marks;
  readonly frames: Frame[];
  readonly changes: Token[];
}

/**
 * Redacts JSON text, or several texts one after another as in NDJSON: each string token with a secret is cut out and
 * written anew, all else keeps its bytes. What is looked at is what a string says, however it is escaped. Undefined
 * where nothing changes. Throws BODY_MALFORMED for text that is not JSON or nests beyond MAX_DEPTH.
 */
export function redactJson(body: Buffer, marks: Marks): Buffer | undefined {
  const encoding = isAscii(body) ? 'latin1' : 'utf8';
  const redacted = redactJsonText(body.toString(encoding), marks);
  return redacted === undefined ? undefined : Buffer.from(redacted);
}

export function redactJsonText(text: string, marks: Marks): string | undefined {
  const walk: Walk = { text, marks, frames: [], changes: [] };
  for (let at = 0; at < text.length;) at = step(walk, at);
  return walk.changes.length === 0 ? undefined : applyChanges(text, walk.changes);
}

function applyChanges(text: string, changes: Token[]): string {
  let result = '';
  let from = 0;
  for (const { at, end, text: changed } of changes.sort((a, b) => a.at - b.at)) {
    result += text.slice(from, at) + JSON.stringify(changed);
    from = end;
  }
  return result + text.slice(from);
}

/** Handles what stands at `at` and returns the index behind it. */
function step(walk: Walk, at: number): number {
  const { text, frames } = walk;
  switch (text.charCodeAt(at)) {
    case 0x22:
      return takeString(walk, at);
    case 0x7b:
      open(walk, true);
      break;
    case 0x5b:
      open(walk, false);
      break;
    case 0x7d:
    case 0x5d:
      close(walk);
      break;
    case 0x2c: {
      const frame = frames.at(-1);
      if (frame !== undefined) frame.expectsName = frame.isObject;
      break;
    }
    default:
  }
  return at + 1;
}

function open({ frames }: Walk, isObject: boolean): void {
  if (frames.length >= MAX_DEPTH) {
    throw new PipelineError(
      'BODY_MALFORMED',
      `the body nests beyond ${MAX_DEPTH} levels and may hold a secret`,
    );
  }
  frames.push({ isObject, expectsName: isObject, name: '', key: undefined, unnamed: [] });
}

function close(walk: Walk): void {
  const frame = walk.frames.pop();
  if (frame === undefined || frame.unnamed.length === 0) return;
  const around = walk.frames.at(-1);
  if (frame.key === undefined && around !== undefined) {
    around.unnamed = joined(around.unnamed, frame.unnamed);
  } else for (const token of frame.unnamed) redactToken(walk, token, frame.key ?? '');
}

/** The fewer are added to the more, so that tokens deep inside are not moved once for each level. */
function joined(some: Token[], others: Token[]): Token[] {
  const [more, fewer] = some.length >= others.length ? [some, others] : [others, some];
  for (const token of fewer) more.push(token);
  return more;
}

function takeString(walk: Walk, at: number): number {
  const end = endOfString(walk.text, at);
  const token = { at, end, text: decode(walk.text.slice(at, end)) };
  const frame = walk.frames.at(-1);
  if (frame?.isObject !== true) redactToken(walk, token, '');
  else if (frame.expectsName) {
    frame.expectsName = false;
    frame.name = token.text;
    redactToken(walk, token, '');
  } else if (frame.name === VALUE_MEMBER) frame.unnamed.push(token);
  else {
    if (frame.name === NAME_MEMBER) frame.key = token.text;
    redactToken(walk, token, frame.name);
  }
  return end;
}

function redactToken({ marks, changes }: Walk, { at, end, text }: Token, name: string): void {
  const redacted = marks.redact(text, name);
  if (redacted !== undefined) changes.push({ at, end, text: redacted });
}

function decode(token: string): string {
  if (!token.includes('\\')) return token.slice(1, -1);
  try {
    return JSON.parse(token) as string;
  } catch {
    // The engine's message quotes the text, so it is not kept as the cause.
    throw new PipelineError('BODY_MALFORMED', 'a string of the body is not valid JSON');
  }
}
