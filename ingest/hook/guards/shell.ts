/**
 * Takes a command line apart as far as the guards need it: one pass over the text, whatever it holds, and no
 * evaluation. What only a shell can know (values of variables, aliases, scripts) stays unknown.
 */

/** One argument as written, quotes taken off, with the commands whose output becomes part of it. */
export interface Word {
  text: string;
  readonly nested: SimpleCommand[];
}

export interface SimpleCommand {
  readonly words: Word[];
  /** Files that it is given as input. */
  readonly reads: Word[];
  /** Files that it is told to write to. */
  readonly writes: Word[];
  /** Text that it is given as input in the command line itself. */
  readonly inputs: string[];
  /** The command whose output is its input. */
  readonly pipedFrom: SimpleCommand | undefined;
}

export type Shell = 'posix' | 'powershell';
type Place = 'words' | 'reads' | 'writes' | 'inputs' | 'delimiter';

interface Frame {
  /** What ends it; nothing ends the outermost. */
  readonly end: ')' | '`' | '';
  /** The word that its commands are part of. */
  readonly owner: Word | undefined;
  command: SimpleCommand;
  word: Word | undefined;
  place: Place;
  isQuoted: boolean;
}

/** Where the parser stands. Each step goes forward, so the whole takes one pass. */
interface Parser {
  readonly text: string;
  readonly shell: Shell;
  at: number;
  readonly frames: Frame[];
  /** Of here-documents that begin with the next line. */
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

/** What a character does outside of quotes; any other becomes part of a word. */
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

/** Goes into, or out of, a substitution that begins or ends here; false if none does. */
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

/** `;`, `&`, `&&`, `|`, `|&`, `||` or the end of a line. */
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
  // The number of a file descriptor is no argument.
  if (frame.word !== undefined && /^[0-9]+$/.test(frame.word.text)) frame.word = undefined;
  endWord(parser, frame);
  const next = text.charAt(at + 1);
  if (next === '(') {
    const word: Word = { text: '', nested: [] };
    frame.command.words.push(word);
    enter(parser, ')', word);
    parser.at += 2;
  } else if (text.startsWith('<<<', at)) place(parser, frame, 'inputs', 3);
  else if (text.startsWith('<<', at)) place(parser, frame, 'delimiter', text[at + 2] === '-' ? 3 : 2);
  else {
    const isLong = next !== '' && '>&|'.includes(next);
    place(parser, frame, text[at] === '<' ? 'reads' : 'writes', isLong ? 2 : 1);
  }
}

function place(parser: Parser, frame: Frame, next: Place, length: number): void {
  frame.place = next;
  parser.at += length;
}

/** Takes the lines of here-documents as the input of their commands. */
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
  const { word, place: to, command } = frame;
  if (word === undefined) return;
  frame.word = undefined;
  frame.place = 'words';
  if (to === 'inputs') command.inputs.push(word.text);
  else if (to === 'delimiter') delimiters.push({ text: word.text, command });
  else command[to].push(word);
}

function endCommand(parser: Parser, frame: Frame, isPiped = false): void {
  endWord(parser, frame);
  frame.place = 'words';
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
  return { end, owner, command: openCommand(undefined), word: undefined, place: 'words', isQuoted: false };
}

function openCommand(pipedFrom: SimpleCommand | undefined): SimpleCommand {
  return { words: [], reads: [], writes: [], inputs: [], pipedFrom };
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}
