import { isAscii } from 'node:buffer';
import { decodeString, JsonScanner } from '../../connectors/wire/json/scan.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Marks } from './redact-text.ts';

/** Deepest nesting that is read, because the names of each level are kept in memory. No sender nests like this. */
const MAX_DEPTH = 10_000;
/**
 * OTLP/JSON writes a value in a member `stringValue`, in either spelling, and the name of the value in a member `key`
 * beside or around it.
 */
const VALUE_MEMBERS: readonly string[] = ['stringValue', 'string_value'];
const NAME_MEMBER = 'key';

/** A string token in the text, quotes included. */
interface StringToken {
  readonly at: number;
  readonly end: number;
  readonly text: string;
}

interface OpenContainer {
  readonly isObject: boolean;
  /** The name of the current member; in a list, the name of the list. */
  name: string;
  /** The name that the object gives its value, if it has one. */
  key: string | undefined;
  /** Values whose name may still follow, in this object or in one around it. */
  unnamed: StringToken[];
}

interface Redaction {
  readonly scanner: JsonScanner;
  readonly marks: Marks;
  /** How many texts this one is nested in. */
  readonly level: number;
  readonly containers: OpenContainer[];
  readonly changes: StringToken[];
}

/**
 * Redacts JSON text, or several texts one after another as in NDJSON: each string token with a secret is cut out and
 * written again, all else keeps its bytes. A secret is found however its string is escaped. Undefined where nothing
 * changes. Throws BODY_MALFORMED for text that is not JSON or nests beyond MAX_DEPTH.
 */
export function redactJson(body: Buffer, marks: Marks): Buffer | undefined {
  const encoding = isAscii(body) ? 'latin1' : 'utf8';
  const redacted = redactJsonText(body.toString(encoding), marks);
  return redacted === undefined ? undefined : Buffer.from(redacted);
}

export function redactJsonText(text: string, marks: Marks): string | undefined {
  const redaction = openText(text, marks, 0);
  const problem = redactTokens(redaction);
  if (problem !== undefined) throw new PipelineError('BODY_MALFORMED', problem);
  return changedText(redaction);
}

/** Levels of JSON text within a string that are read. Sources parse fewer. */
const MAX_NESTED_TEXTS = 8;
const LIKE_JSON = /^\s*[[{"]/;

/**
 * Redacts the text of a value in any format. JSON text is redacted string by string first, because a source that parses
 * it undoes its escapes, and then like other text. Undefined where nothing changes. `name` is the name of the value.
 */
export function redactText(text: string, marks: Marks, name = '', level = 0): string | undefined {
  const isNested = level < MAX_NESTED_TEXTS && LIKE_JSON.test(text);
  const inner = isNested ? redactNestedText(text, marks, level + 1) : undefined;
  return marks.redact(inner ?? text, name) ?? inner;
}

/** Redacts as much of a text as is JSON: a source may have cut it. */
function redactNestedText(text: string, marks: Marks, level: number): string | undefined {
  const redaction = openText(text, marks, level);
  redactTokens(redaction);
  while (redaction.containers.length > 0) close(redaction);
  return changedText(redaction);
}

function openText(text: string, marks: Marks, level: number): Redaction {
  const scanner = new JsonScanner(text, { isSequence: true });
  return { scanner, marks, level, containers: [], changes: [] };
}

/** Reads to the end of the text; returns why it cannot. */
function redactTokens(redaction: Redaction): string | undefined {
  const { scanner, containers } = redaction;
  for (;;) {
    switch (scanner.next()) {
      case 'name':
        takeName(redaction);
        break;
      case 'string':
        takeString(redaction);
        break;
      case 'open':
        if (containers.length >= MAX_DEPTH) {
          return `the body nests beyond ${MAX_DEPTH} levels and may hold a secret`;
        }
        open(redaction);
        break;
      case 'close':
        close(redaction);
        break;
      case 'number':
      case 'literal':
        break;
      case 'end':
        return undefined;
      case 'invalid':
        return 'the body is not valid JSON and may hold a secret';
    }
  }
}

function changedText({ scanner: { text }, changes }: Redaction): string | undefined {
  if (changes.length === 0) return undefined;
  let result = '';
  let from = 0;
  for (const { at, end, text: changed } of changes.sort((a, b) => a.at - b.at)) {
    result += text.slice(from, at) + JSON.stringify(changed);
    from = end;
  }
  return result + text.slice(from);
}

function open({ scanner, containers }: Redaction): void {
  const { isObject } = scanner;
  // The elements of a list have the name of the list.
  const name = isObject ? '' : (containers.at(-1)?.name ?? '');
  containers.push({ isObject, name, key: undefined, unnamed: [] });
}

function close(redaction: Redaction): void {
  const closed = redaction.containers.pop();
  if (closed === undefined || closed.unnamed.length === 0) return;
  const around = redaction.containers.at(-1);
  if (closed.key === undefined && around !== undefined) {
    around.unnamed = joined(around.unnamed, closed.unnamed);
  } else for (const token of closed.unnamed) redactToken(redaction, token, closed.key ?? '');
}

/** Adds the shorter list to the longer one, so that tokens deep inside are not moved once for each level. */
function joined(some: StringToken[], others: StringToken[]): StringToken[] {
  const [more, fewer] = some.length >= others.length ? [some, others] : [others, some];
  for (const token of fewer) more.push(token);
  return more;
}

function takeName(redaction: Redaction): void {
  const token = currentToken(redaction);
  const container = redaction.containers.at(-1);
  if (container !== undefined) container.name = token.text;
  addChange(redaction, token, redaction.marks.redact(token.text));
}

function takeString(redaction: Redaction): void {
  const token = currentToken(redaction);
  const container = redaction.containers.at(-1);
  if (container?.isObject !== true) redactToken(redaction, token, container?.name ?? '');
  else if (VALUE_MEMBERS.includes(container.name)) container.unnamed.push(token);
  else {
    if (container.name === NAME_MEMBER) container.key = token.text;
    redactToken(redaction, token, container.name);
  }
}

function currentToken({ scanner }: Redaction): StringToken {
  const { from, to, text } = scanner;
  return { at: from, end: to, text: decodeString(text.slice(from, to)) };
}

function redactToken(redaction: Redaction, token: StringToken, name: string): void {
  addChange(redaction, token, redactText(token.text, redaction.marks, name, redaction.level));
}

function addChange({ changes }: Redaction, { at, end }: StringToken, redacted: string | undefined): void {
  if (redacted !== undefined) changes.push({ at, end, text: redacted });
}
