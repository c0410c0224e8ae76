/**
 * Judges an agent's next action before it happens: a prompt, or a call of a tool. A finding names a rule and never
 * quotes the text. Guards are a net for mistakes and not a wall: a person who wants to get past them can. The client's
 * permissions and a sandbox hold against that person.
 */
import { findDestruction, holdsDropStatement } from './guards/destructive.ts';
import { findExfiltration } from './guards/exfiltration.ts';
import { findPersonalData } from './guards/personal-data.ts';
import { programsOf, type Program } from './guards/program.ts';
import { isSecretPath, touchesSecretFile } from './guards/secret-files.ts';
import {
  GUARD_MODES,
  readGuards,
  type GuardFailure,
  type GuardMode,
  type GuardName,
  type GuardSettings,
} from './guards/settings.ts';
import { toObject } from './transcript-path.ts';
import type { HookWorld } from './world.ts';

/** Far larger than any prompt or file; the patterns take two seconds at most for it. */
const MOST_BYTES = 16 * 1024 * 1024;
/** Linux accepts no longer argument (MAX_ARG_STRLEN), and parsing one takes a fifth of a second at worst. */
const MOST_COMMAND_CHARS = 128 * 1024;

export interface Finding {
  /** `guard.rule`. */
  readonly rule: string;
  readonly mode: GuardMode;
}

export interface Judgement {
  /** The answer for the client on standard output; undefined if the guards stop nothing. */
  readonly answer: string | undefined;
  /** Why the guards could not judge. */
  readonly failure: GuardFailure | undefined;
  /** Native events, one per rule that matched or per failure. */
  readonly records: readonly Buffer[];
}

type Members = Readonly<Record<string, unknown>>;

/** Never throws: a guard that breaks is reported as a failure, so that no call goes on unjudged without a record. */
export function judge(event: Buffer, file: string, world: HookWorld): Judgement | undefined {
  const members = event.length > MOST_BYTES ? {} : toObject(event);
  const name = members['hook_event_name'];
  const found = findAll(event, members, file);
  if (found === undefined) return undefined;
  if (typeof found === 'string') {
    const record = toRecord(members, { decision: 'out_of_order', reason: found }, world);
    return { answer: undefined, failure: found, records: [record] };
  }
  const records = found.map(({ rule, mode }) => toRecord(members, { decision: mode, reason: rule }, world));
  return { answer: toAnswer(name, found), failure: undefined, records };
}

/** Returns undefined for an event that guards do not judge. */
function findAll(
  event: Buffer,
  members: Members,
  file: string,
): readonly Finding[] | GuardFailure | undefined {
  const name = members['hook_event_name'];
  if (event.length <= MOST_BYTES && typeof name === 'string' && !(name in TEXTS)) return undefined;
  const settings = readGuards(file);
  if (typeof settings === 'string') return settings;
  if (event.length > MOST_BYTES) return 'event_too_large';
  if (typeof name !== 'string') return 'event_invalid';
  try {
    if (commandOf(members).length > MOST_COMMAND_CHARS) return 'command_too_large';
    return name === 'PreToolUse' ? findInCall(members, settings) : findInPrompt(members, settings);
  } catch {
    return 'guards_broken';
  }
}

/** The events that guards judge, each with the text that a person or the model reads then. */
const TEXTS: Readonly<Record<string, string>> = {
  PreToolUse: 'A guard of your organisation was met',
  UserPromptSubmit: 'This prompt met a guard of your organisation and was not sent',
};

function findInPrompt({ prompt }: Members, { modes }: GuardSettings): Finding[] {
  const mode = modes.personal_data;
  if (mode === undefined) return [];
  return toFindings('personal_data', mode, findPersonalData(typeof prompt === 'string' ? prompt : ''));
}

function inputOf({ tool_input }: Members): Members {
  return typeof tool_input === 'object' && tool_input !== null ? (tool_input as Members) : {};
}

function commandOf(members: Members): string {
  const { command } = inputOf(members);
  return typeof command === 'string' ? command : '';
}

function findInCall(members: Members, { modes, protectedBranches }: GuardSettings): Finding[] {
  const { tool_name } = members;
  const input = inputOf(members);
  const programs = programsOf(commandOf(members), tool_name === 'PowerShell' ? 'powershell' : 'posix');
  const found: Readonly<Record<GuardName, () => readonly string[]>> = {
    secret_files: () => findSecretFiles(tool_name, input, programs),
    exfiltration: () => findExfiltration(programs),
    personal_data: () => textsIn(input).flatMap(findPersonalData),
    destructive: () => [
      ...findDestruction(programs, protectedBranches),
      ...(isSql(input) ? (['drop_table'] as const) : []),
    ],
  };
  return Object.entries(modes).flatMap(([guard, mode]) =>
    toFindings(guard, mode, found[guard as GuardName]()),
  );
}

/** Members of tool inputs that hold a path, or a pattern of paths. */
const PATH_MEMBERS = ['file_path', 'path', 'notebook_path'];

function findSecretFiles(tool: unknown, input: Members, programs: readonly Program[]): string[] {
  const names = [
    ...PATH_MEMBERS,
    ...(tool === 'Glob' ? ['pattern'] : []),
    ...(tool === 'Grep' ? ['glob'] : []),
  ];
  const isNamed = names
    .map((name) => input[name])
    .some((path) => typeof path === 'string' && isSecretPath(path));
  return [...(isNamed ? ['path'] : []), ...(programs.some(touchesSecretFile) ? ['command'] : [])];
}

/** Tools of databases use several names for the member that holds SQL. */
function isSql(input: Members): boolean {
  return ['sql', 'query', 'statement'].some((name) => {
    const value = input[name];
    return typeof value === 'string' && holdsDropStatement(value);
  });
}

/** Every text within a value, at any depth. */
function textsIn(value: unknown): string[] {
  const texts: string[] = [];
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next === 'string') texts.push(next);
    else for (const inner of childrenOf(next)) waiting.push(inner);
  }
  return texts;
}

function childrenOf(value: unknown): readonly unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}

function toFindings(guard: string, mode: GuardMode, rules: readonly string[]): Finding[] {
  return [...new Set(rules)].map((rule) => ({ rule: `${guard}.${rule}`, mode }));
}

/**
 * The strictest finding decides. If nothing is found there is no answer: `allow` would skip a question that the
 * client's own rules ask the person. The client cannot ask about a prompt, so `ask` blocks a prompt as well.
 */
function toAnswer(name: unknown, findings: readonly Finding[]): string | undefined {
  const mode = GUARD_MODES.find((strictest) => findings.some((finding) => finding.mode === strictest));
  if (typeof name !== 'string' || mode === undefined || mode === 'report') return undefined;
  const rules = findings.filter((finding) => finding.mode === mode).map(({ rule }) => rule);
  const reason = `${TEXTS[name] ?? ''}: ${rules.join(', ')}`;
  if (name === 'UserPromptSubmit') return JSON.stringify({ decision: 'block', reason });
  return JSON.stringify({
    hookSpecificOutput: {
      hookEventName: name,
      permissionDecision: mode,
      permissionDecisionReason: reason,
    },
  });
}

interface Decision {
  readonly decision: GuardMode | 'out_of_order';
  readonly reason: string;
}

/** The record holds names, ids and codes, and nothing of the judged text. */
function toRecord(members: Members, { decision, reason }: Decision, { now, newId }: HookWorld): Buffer {
  const textOf = (name: string) => (typeof members[name] === 'string' ? { [name]: members[name] } : {});
  const hookEvent = members['hook_event_name'];
  return Buffer.from(
    JSON.stringify({
      type: 'guard.decided',
      event_id: newId(),
      occurred_at: new Date(now()).toISOString(),
      ...textOf('session_id'),
      facts: {
        ...textOf('prompt_id'),
        ...textOf('tool_use_id'),
        ...textOf('tool_name'),
        ...textOf('agent_id'),
        ...(typeof hookEvent === 'string' ? { hook_event: hookEvent } : {}),
        decision,
        decision_source: 'hook',
        reason,
      },
    }),
  );
}
