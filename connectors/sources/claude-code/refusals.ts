import { isJsonObject, type JsonValue } from '../../../schemas/json.ts';
import type { StatedFacts, Told } from '../../../schemas/record.ts';
import { setFact } from '../../drafts/members.ts';

/** The outcome of a tool call, read from the result text that the model received. */
export interface ToldOutcome {
  readonly told: Told;
  readonly decision_source: 'rule' | 'hook' | undefined;
}

interface KnownText {
  /** Client versions whose recordings show this text. */
  readonly seen_in: readonly string[];
  /** Tools that the text was seen for; undefined for any. */
  readonly tools?: readonly string[];
  /** Matched against the first HEAD_CHARACTERS of the text. */
  readonly pattern: RegExp;
  /** How the text ends, for patterns that do not reach that far. */
  readonly ends?: string;
  readonly outcome: ToldOutcome;
}

const DENIED_BY_RULE: ToldOutcome = { told: 'denied', decision_source: 'rule' };
const UNAVAILABLE: ToldOutcome = { told: 'unavailable', decision_source: undefined };
const FAILED: ToldOutcome = { told: 'failed', decision_source: undefined };
const UNRECOGNISED: ToldOutcome = { told: 'unrecognised', decision_source: undefined };

const CLIENT_2_1 = ['2.1.329'];

/**
 * The texts change between client versions, and a tool can print any of them. So every pattern is anchored at the
 * start and bounded, and claims no more than its text. A text that is not listed is `unrecognised`; nothing is
 * guessed.
 */
const KNOWN_TEXTS: readonly KnownText[] = [
  {
    seen_in: CLIENT_2_1,
    pattern: /^File is in a directory that is denied by your permission settings\.$/,
    outcome: DENIED_BY_RULE,
  },
  {
    seen_in: CLIENT_2_1,
    pattern:
      /^File is covered by a \w{1,40} deny rule in your permission settings and cannot be \w{1,40}\.?$/,
    outcome: DENIED_BY_RULE,
  },
  {
    seen_in: CLIENT_2_1,
    pattern: /^Permission to use \S/,
    ends: ' has been denied.',
    outcome: DENIED_BY_RULE,
  },
  {
    seen_in: CLIENT_2_1,
    tools: ['Bash', 'PowerShell'],
    pattern: /^[^\n]{1,1000} needs approval\. /,
    outcome: DENIED_BY_RULE,
  },
  {
    seen_in: CLIENT_2_1,
    tools: ['Bash', 'PowerShell'],
    pattern: /^This [^\n]{1,200} requires approval(?::|\.|$)/,
    outcome: DENIED_BY_RULE,
  },
  {
    seen_in: CLIENT_2_1,
    pattern: /^PreToolUse:[\w-]{1,200} hook error: /,
    outcome: { told: 'denied', decision_source: 'hook' },
  },
  { seen_in: CLIENT_2_1, pattern: /^(?:Error: )?No such tool available: /, outcome: UNAVAILABLE },
  {
    seen_in: CLIENT_2_1,
    tools: ['Bash', 'PowerShell'],
    pattern: /^Exit code [0-9]{1,3}(?:\n|$)/,
    outcome: FAILED,
  },
  {
    seen_in: CLIENT_2_1,
    tools: ['Edit', 'NotebookEdit'],
    pattern: /^String to replace not found in file\./,
    outcome: FAILED,
  },
  {
    seen_in: CLIENT_2_1,
    tools: ['Read', 'Edit', 'Write', 'NotebookEdit'],
    pattern: /^File does not exist\. /,
    outcome: FAILED,
  },
];

/** Characters at the beginning of a text in which a known text is looked for. */
const HEAD_CHARACTERS = 2_000;

/**
 * Reads the outcome of a tool call from its result as the model received it. Looks at a bounded part of the result.
 */
export function readTold(toolName: string | undefined, toolResponse: JsonValue | undefined): ToldOutcome {
  const text = textOf(toolResponse);
  if (text === undefined) return UNRECOGNISED;
  const inner = unwrap(text);
  const head = inner.slice(0, HEAD_CHARACTERS);
  const known = KNOWN_TEXTS.find(
    ({ tools, pattern, ends }) =>
      (tools?.includes(toolName ?? '') ?? true) && pattern.test(head) && inner.endsWith(ends ?? ''),
  );
  return known?.outcome ?? UNRECOGNISED;
}

/** A result is a string or content blocks. A refusal is in the first text block. */
function textOf(response: JsonValue | undefined): string | undefined {
  if (typeof response === 'string') return response;
  if (!Array.isArray(response)) return undefined;
  const blocks: readonly JsonValue[] = response;
  const first = blocks[0];
  const text = isJsonObject(first) && first['type'] === 'text' ? first['text'] : undefined;
  return typeof text === 'string' ? text : undefined;
}

function unwrap(text: string): string {
  const open = '<tool_use_error>';
  const close = '</tool_use_error>';
  return text.startsWith(open) && text.endsWith(close) ? text.slice(open.length, -close.length) : text;
}

/** Sets the facts of a result that the model received. The source may also say whether it is an error. */
export function setToldResult(
  facts: StatedFacts,
  toolName: string | undefined,
  { response, isError }: { readonly response: JsonValue; readonly isError: boolean | undefined },
): void {
  if (isError === false) {
    facts.told = 'executed';
    facts.success = true;
    return;
  }
  const { told, decision_source } = readTold(toolName, response);
  facts.told = told;
  setFact(facts, 'decision_source', decision_source);
  if (isError === true) facts.success = false;
}
