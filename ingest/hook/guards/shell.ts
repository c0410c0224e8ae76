/**
 * Parses a command line as far as the guards need it: in one pass over any text, without evaluation. Values that only
 * a shell can know (variables, aliases, scripts) stay unknown.
 */

/** One argument as written, without its quotes, with the commands whose output becomes part of it. */
export interface Word {
  text: string;
  readonly nested: SimpleCommand[];
}

export interface SimpleCommand {
  readonly words: Word[];
  /** Files that are redirected into the command. */
  readonly reads: Word[];
  /** Files that the command's output is redirected to. */
  readonly writes: Word[];
  /** Input texts in the command line itself: here-documents and here-strings. */
  readonly inputs: string[];
  /** The command whose output is piped into this one. */
  readonly pipedFrom: SimpleCommand | undefined;
}

export type Shell = 'posix' | 'powershell';
type WordRole = 'words' | 'reads' | 'writes' | 'inputs' | 'delimiter';

interface Frame {
  /** The character that ends the frame; none ends the outermost frame. */
  readonly end: ')' | '`' | '';
  /** The word that the frame's commands are part of. */
  readonly owner: Word | undefined;
  command: SimpleCommand;
  word: Word | undefined;
  /** Role of the next word. */
  role: WordRole;
  isQuoted: boolean;
}

/** State of the parser. Each step moves `at` forward, so the parser takes one pass. */
interface Parser {
  readonly text: string;
  readonly shell: Shell;
  at: number;
  readonly frames: Frame[];
  /** Delimiters of here-documents that begin with the next line. */
  readonly delimiters: { readonly text: string; readonly command: SimpleCommand }[];
  readonly found: SimpleCommand[];
}

/** All simple commands of a command line, also those within substitutions and groups. */
export function parseShell(text: string, shell: Shell = 'posix'): SimpleCommand[] {
  const frames = [openFrame('', undefined)];
  const parser: Parser = { text, shell, at: 0, frames, delimiters: [], found: [] };
  while (parser.at < text.length) {
    const frame = frames.at(-1) ?? openFrame('', undefined);
    if (frame.isQuoted) stepQuoted(parser, frame);
    else stepBare(parser, frame);
  }
  while (frames.length > 1) leave(parser);
  const [outermost] = frames;
  if (outermost !== undefined) endCommand(parser, outermost);
  return parser.found;
}

function stepQuoted(parser: Parser, frame: Frame): void {
  const { text, shell, at } = parser;
  const char = text.charAt(at);
  const next = text.charAt(at + 1);
  const escapes = shell === 'powershell' ? char === '`' : char === '\\' && '"\\$`\n'.includes(next);
  if (char === '"') {
    frame.isQuoted = false;
    parser.at += 1;
  } else if (escapes) {
    wordOf(frame).text += next;
    parser.at += 2;
  } else if (!substitutes(parser, frame)) takeChar(parser, frame);
}

/** Steps for characters with a meaning outside of quotes; any other character becomes part of a word. */
const BARE: Readonly<Record<string, (parser: Parser, frame: Frame) => void>> = {
  "'": takeSingleQuoted,
  '"': (parser, frame) => {
    wordOf(frame);
    frame.isQuoted = true;
    parser.at += 1;
  },
  ' ': stepBlank,
  '\t': stepBlank,
  '\r': stepBlank,
  '<': redirect,
  '>': redirect,
  '(': (parser, frame) => {
    const owner = frame.word ?? frame.command.words.at(-1);
    endWord(parser, frame);
    enter(parser, ')', owner);
    parser.at += 1;
  },
  ')': (parser, frame) => {
    if (frame.end === ')') leave(parser);
    else endCommand(parser, frame);
    parser.at += 1;
  },
  '|': separate,
  '&': (parser, frame) => {
    if (parser.text.startsWith('&>', parser.at)) {
      parser.at += 1;
      redirect(parser, frame);
    } else separate(parser, frame);
  },
  ';': separate,
  '\n': separate,
};

function stepBare(parser: Parser, frame: Frame): void {
  const { text, shell, at } = parser;
  const char = text.charAt(at);
  if (char === (shell === 'posix' ? '\\' : '`')) {
    if (text[at + 1] !== '\n') wordOf(frame).text += text.charAt(at + 1);
    parser.at += 2;
  } else if (char === '#' && frame.word === undefined) parser.at = lineEnd(text, at);
  else if (Object.hasOwn(BARE, char)) BARE[char]?.(parser, frame);
  else if (!substitutes(parser, frame)) takeChar(parser, frame);
}

function stepBlank(parser: Parser, frame: Frame): void {
  endWord(parser, frame);
  parser.at += 1;
}

function takeChar(parser: Parser, frame: Frame): void {
  wordOf(frame).text += parser.text.charAt(parser.at);
  parser.at += 1;
}

function takeSingleQuoted(parser: Parser, frame: Frame): void {
  const { text, at } = parser;
  const found = text.indexOf("'", at + 1);
  const end = found === -1 ? text.length : found;
  wordOf(frame).text += text.slice(at + 1, end);
  parser.at = end + 1;
}

/** Enters or leaves a substitution that begins or ends here; returns false if there is none. */
function substitutes(parser: Parser, frame: Frame): boolean {
  const { text, shell, at } = parser;
  if (text.startsWith('$(', at)) {
    enter(parser, ')', wordOf(frame));
    parser.at += 2;
    return true;
  }
  if (shell !== 'posix' || text[at] !== '`') return false;
  if (frame.end === '`') leave(parser);
  else enter(parser, '`', wordOf(frame));
  parser.at += 1;
  return true;
}

/** Ends a command at `;`, `&`, `&&`, `|`, `|&`, `||` or the end of a line. */
function separate(parser: Parser, frame: Frame): void {
  const { text, at } = parser;
  const char = text.charAt(at);
  const next = text.charAt(at + 1);
  const isPipe = char === '|' && next !== '|';
  endCommand(parser, frame, isPipe);
  const isDouble = char !== '\n' && (next === char || (isPipe && next === '&'));
  parser.at += isDouble ? 2 : 1;
  if (char === '\n' && parser.delimiters.length > 0) takeHeredocs(parser);
}

function redirect(parser: Parser, frame: Frame): void {
  const { text, at } = parser;
  // The number of a file descriptor is not an argument.
  if (frame.word !== undefined && /^[0-9]+$/.test(frame.word.text)) frame.word = undefined;
  endWord(parser, frame);
  const next = text.charAt(at + 1);
  if (next === '(') {
    const word: Word = { text: '', nested: [] };
    frame.command.words.push(word);
    enter(parser, ')', word);
    parser.at += 2;
  } else if (text.startsWith('<<<', at)) expectRole(parser, frame, 'inputs', 3);
  else if (text.startsWith('<<', at)) expectRole(parser, frame, 'delimiter', text[at + 2] === '-' ? 3 : 2);
  else {
    const isLong = next !== '' && '>&|'.includes(next);
    expectRole(parser, frame, text[at] === '<' ? 'reads' : 'writes', isLong ? 2 : 1);
  }
}

function expectRole(parser: Parser, frame: Frame, next: WordRole, length: number): void {
  frame.role = next;
  parser.at += length;
}

/** Adds the lines of here-documents to the inputs of their commands. */
function takeHeredocs(parser: Parser): void {
  const { text, delimiters } = parser;
  for (const { text: delimiter, command } of delimiters.splice(0)) {
    const lines: string[] = [];
    while (parser.at < text.length) {
      const end = lineEnd(text, parser.at);
      const line = text.slice(parser.at, end);
      parser.at = end + 1;
      if (line.trimStart() === delimiter) break;
      lines.push(line);
    }
    command.inputs.push(lines.join('\n'));
  }
}

function wordOf(frame: Frame): Word {
  return (frame.word ??= { text: '', nested: [] });
}

function endWord({ delimiters }: Parser, frame: Frame): void {
  const { word, role, command } = frame;
  if (word === undefined) return;
  frame.word = undefined;
  frame.role = 'words';
  if (role === 'inputs') command.inputs.push(word.text);
  else if (role === 'delimiter') delimiters.push({ text: word.text, command });
  else command[role].push(word);
}

function endCommand(parser: Parser, frame: Frame, isPiped = false): void {
  endWord(parser, frame);
  frame.role = 'words';
  const { command } = frame;
  const isEmpty = command.words.length + command.reads.length + command.writes.length === 0;
  if (!isEmpty) {
    parser.found.push(command);
    frame.owner?.nested.push(command);
  }
  const source = isEmpty ? parser.found.at(-1) : command;
  frame.command = openCommand(isPiped ? source : undefined);
}

function enter({ frames }: Parser, end: Frame['end'], owner: Word | undefined): void {
  frames.push(openFrame(end, owner));
}

function leave(parser: Parser): void {
  const frame = parser.frames.at(-1);
  if (frame === undefined || parser.frames.length === 1) return;
  endCommand(parser, frame);
  parser.frames.pop();
}

function openFrame(end: Frame['end'], owner: Word | undefined): Frame {
  return { end, owner, command: openCommand(undefined), word: undefined, role: 'words', isQuoted: false };
}

function openCommand(pipedFrom: SimpleCommand | undefined): SimpleCommand {
  return { words: [], reads: [], writes: [], inputs: [], pipedFrom };
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}
