import { isAscii } from 'node:buffer';
import { decodeString, JsonScanner } from '../../connectors/wire/json/scan.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Marks } from './redact-text.ts';

/** Deepest nesting that is read, because the names of each level are kept in memory. No sender nests like this. */
const MAX_DEPTH = 10_000;
/**
 * OTLP/JSON writes a value in a member `stringValue`, and the name of the value in a member `key` beside or around
 * it.
 */
const VALUE_MEMBER = 'stringValue';
const NAME_MEMBER = 'key';

/** A string token in the text, quotes included. */
interface StringToken {
  readonly at: number;
  readonly end: number;
  readonly text: string;
}

interface OpenContainer {
  readonly isObject: boolean;
  /** The name of the current member. */
  name: string;
  /** The name that the object gives its value, if it has one. */
  key: string | undefined;
  /** Values whose name may still follow, in this object or in one around it. */
  unnamed: StringToken[];
}

interface Redaction {
  readonly scanner: JsonScanner;
  readonly marks: Marks;
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
  const scanner = new JsonScanner(text, { isSequence: true });
  const redaction: Redaction = { scanner, marks, containers: [], changes: [] };
  for (;;) {
    switch (scanner.next()) {
      case 'name':
        takeName(redaction);
        break;
      case 'string':
        takeString(redaction);
        break;
      case 'open':
        open(redaction);
        break;
      case 'close':
        close(redaction);
        break;
      case 'number':
      case 'literal':
        break;
      case 'end':
        return redaction.changes.length === 0 ? undefined : applyChanges(text, redaction.changes);
      case 'invalid':
        throw new PipelineError('BODY_MALFORMED', 'the body is not valid JSON and may hold a secret');
    }
  }
}

function applyChanges(text: string, changes: StringToken[]): string {
  let result = '';
  let from = 0;
  for (const { at, end, text: changed } of changes.sort((a, b) => a.at - b.at)) {
    result += text.slice(from, at) + JSON.stringify(changed);
    from = end;
  }
  return result + text.slice(from);
}

function open({ scanner, containers }: Redaction): void {
  if (containers.length >= MAX_DEPTH) {
    throw new PipelineError(
      'BODY_MALFORMED',
      `the body nests beyond ${MAX_DEPTH} levels and may hold a secret`,
    );
  }
  containers.push({ isObject: scanner.isObject, name: '', key: undefined, unnamed: [] });
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
  redactToken(redaction, token, '');
}

function takeString(redaction: Redaction): void {
  const token = currentToken(redaction);
  const container = redaction.containers.at(-1);
  if (container?.isObject !== true) redactToken(redaction, token, '');
  else if (container.name === VALUE_MEMBER) container.unnamed.push(token);
  else {
    if (container.name === NAME_MEMBER) container.key = token.text;
    redactToken(redaction, token, container.name);
  }
}

function currentToken({ scanner }: Redaction): StringToken {
  const { from, to, text } = scanner;
  return { at: from, end: to, text: decodeString(text.slice(from, to)) };
}

function redactToken({ marks, changes }: Redaction, { at, end, text }: StringToken, name: string): void {
  const redacted = marks.redact(text, name);
  if (redacted !== undefined) changes.push({ at, end, text: redacted });
}
