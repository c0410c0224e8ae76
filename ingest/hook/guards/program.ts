import { parseShell, type Shell, type SimpleCommand, type Word } from './shell.ts';

/** A command with the name of its program, without path and `.exe`, in lower case. */
export interface Program {
  readonly name: string;
  readonly args: readonly Word[];
  readonly command: SimpleCommand;
}

/** Programs that run their arguments, with those of their options that take a value. */
const WRAPPERS: Readonly<Record<string, readonly string[]>> = {
  sudo: ['-u', '-g', '-h', '-p', '-C', '-D'],
  doas: ['-u', '-C'],
  env: ['-u', '-C', '--unset', '--chdir'],
  nice: ['-n'],
  ionice: ['-c', '-n'],
  timeout: ['-s', '-k', '--signal', '--kill-after'],
  xargs: ['-n', '-I', '-P', '-L', '-d', '-a', '-s', '-E'],
  stdbuf: ['-i', '-o', '-e'],
  nohup: [],
  time: [],
  command: [],
  builtin: [],
  exec: [],
  setsid: [],
};
const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'zsh', 'dash', 'ksh', 'fish', 'su']);
/** Shells nested in shells: no honest command goes deeper. */
const MOST_SHELLS = 5;

/** Every program that a command line starts, also through shells that get commands as text. */
export function programsOf(text: string, shell: Shell, depth = 0): Program[] {
  const programs = parseShell(text, shell).flatMap((command) => toProgram(command) ?? []);
  if (depth === MOST_SHELLS) return programs;
  return programs.flatMap((program) => [
    program,
    ...scriptsOf(program).flatMap((script) => programsOf(script, shell, depth + 1)),
  ]);
}

export function toProgram(command: SimpleCommand): Program | undefined {
  const { words } = command;
  for (let at = 0; ;) {
    const first = behindAssignments(words, at);
    if (first === words.length)
      return words.length === 0 ? undefined : { name: '', args: words.slice(at), command };
    const name = baseName(words[first]?.text ?? '');
    const inner = Object.hasOwn(WRAPPERS, name)
      ? behindOptions(words, first + 1, WRAPPERS[name] ?? [])
      : words.length;
    if (inner >= words.length) return { name, args: words.slice(first + 1), command };
    at = inner;
  }
}

/** Texts that a program runs as commands. */
function scriptsOf({ name, args, command }: Program): string[] {
  if (name === 'eval') return [args.map(({ text }) => text).join(' ')];
  if (!SHELLS.has(name)) return [];
  const flag = args.findIndex(({ text }) => /^-[a-z]*c$/.test(text));
  const script = flag === -1 ? undefined : args[flag + 1]?.text;
  return script === undefined ? command.inputs : [script, ...command.inputs];
}

function behindAssignments(words: readonly Word[], from: number): number {
  let at = from;
  while (at < words.length && isAssignment(words[at]?.text ?? '')) at += 1;
  return at;
}

/** Index of the first word that is not an option, a value of one, or an assignment. */
function behindOptions(words: readonly Word[], from: number, valued: readonly string[]): number {
  let at = from;
  for (; at < words.length; at += 1) {
    const text = words[at]?.text ?? '';
    if (valued.includes(text)) at += 1;
    // Numbers are skipped: they are a duration, a count or a priority.
    else if (!text.startsWith('-') && !isAssignment(text) && !/^[0-9.]+[smhd]?$/.test(text)) break;
  }
  return at;
}

function isAssignment(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*\+?=/.test(text);
}

function baseName(path: string): string {
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1).toLowerCase();
  return name.endsWith('.exe') ? name.slice(0, -4) : name;
}

/** The values of options: joined to them, behind `=`, or as the next argument. Short options may be bundled. */
export function optionValues(args: readonly Word[], names: readonly string[], valued: string): Word[] {
  const values: Word[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const { name, value, isNext } = readOption(args, at, valued);
    if (value !== undefined && names.includes(name)) values.push(value);
    if (isNext) at += 1;
  }
  return values;
}

interface Option {
  readonly name: string;
  readonly value: Word | undefined;
  /** Whether the value is a separate argument, which is then used up. */
  readonly isNext: boolean;
}

function readOption(args: readonly Word[], at: number, valued: string): Option {
  const { text, nested } = args[at] ?? { text: '', nested: [] };
  const next = args[at + 1];
  if (text.startsWith('--')) {
    const equals = text.indexOf('=');
    if (equals === -1) return { name: text, value: next, isNext: false };
    return { name: text.slice(0, equals), value: { text: text.slice(equals + 1), nested }, isNext: false };
  }
  const letter = text.startsWith('-') ? indexOfAny(text, valued) : -1;
  if (letter === -1) return { name: '', value: undefined, isNext: false };
  const rest = text.slice(letter + 1);
  const value = rest === '' ? next : { text: rest, nested };
  return { name: `-${text.charAt(letter)}`, value, isNext: rest === '' };
}

function indexOfAny(text: string, chars: string): number {
  for (let at = 1; at < text.length; at += 1) if (chars.includes(text.charAt(at))) return at;
  return -1;
}

/** Arguments that are not options; `valued` lists the letters of options that take the next argument. */
export function operandsOf(args: readonly Word[], valued = ''): Word[] {
  const operands: Word[] = [];
  let isOver = false;
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at];
    if (word === undefined) break;
    if (isOver || !word.text.startsWith('-') || word.text === '-') operands.push(word);
    else if (word.text === '--') isOver = true;
    else if (word.text.length === 2 && valued.includes(word.text.charAt(1))) at += 1;
  }
  return operands;
}
