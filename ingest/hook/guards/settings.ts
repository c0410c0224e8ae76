import { readFileSync } from 'node:fs';
import { PROTECTED_BRANCHES } from './destructive.ts';

export const GUARD_NAMES = ['secret_files', 'exfiltration', 'personal_data', 'destructive'] as const;
export type GuardName = (typeof GUARD_NAMES)[number];

/** `deny` stops the action, `ask` lets the person decide, `report` lets it go on; each leaves a record. */
export const GUARD_MODES = ['deny', 'ask', 'report'] as const;
export type GuardMode = (typeof GUARD_MODES)[number];

export interface GuardSettings {
  /** A guard that is not named is off. */
  readonly modes: Readonly<Partial<Record<GuardName, GuardMode>>>;
  readonly protectedBranches: readonly string[];
}

/** Why guards could not judge: a code, never text that was read. */
export type GuardFailure =
  | 'guards_unreadable'
  | 'guards_invalid'
  | 'event_invalid'
  | 'event_too_large'
  | 'command_too_large'
  | 'guards_broken';

/**
 * Reads `{ "guards": { NAME: { "mode": MODE }, … } }`; `destructive` also takes `protected_branches`. Any other member
 * makes the whole file invalid, because a misspelt guard must not count as a guard that is off.
 */
export function readGuards(path: string): GuardSettings | GuardFailure {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return 'guards_unreadable';
  }
  try {
    return toSettings(JSON.parse(text));
  } catch {
    return 'guards_invalid';
  }
}

function toSettings(value: unknown): GuardSettings | GuardFailure {
  const guards = membersOf(value, ['guards'])?.['guards'];
  const found = membersOf(guards, GUARD_NAMES);
  if (found === undefined) return 'guards_invalid';
  const modes: Partial<Record<GuardName, GuardMode>> = {};
  let protectedBranches: readonly string[] = PROTECTED_BRANCHES;
  for (const name of GUARD_NAMES) {
    if (!(name in found)) continue;
    const guard = membersOf(found[name], name === 'destructive' ? ['mode', 'protected_branches'] : ['mode']);
    const mode = GUARD_MODES.find((known) => known === guard?.['mode']);
    if (guard === undefined || mode === undefined) return 'guards_invalid';
    modes[name] = mode;
    if (!('protected_branches' in guard)) continue;
    const branches = guard['protected_branches'];
    if (!Array.isArray(branches) || !branches.every(isBranchPattern)) return 'guards_invalid';
    protectedBranches = branches;
  }
  return { modes, protectedBranches };
}

/** The members of an object that has only these; undefined for anything else. */
function membersOf(value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.keys(value).every((name) => names.includes(name)) ? { ...value } : undefined;
}

function isBranchPattern(value: unknown): value is string {
  return typeof value === 'string' && /^[^\s*]+\*?$/.test(value);
}
