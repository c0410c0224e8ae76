import { describe, expect, it } from 'vitest';
import { programsOf } from '../../../../ingest/hook/guards/program.ts';
import { parseShell } from '../../../../ingest/hook/guards/shell.ts';

const wordsOf = (text: string) => parseShell(text).map(({ words }) => words.map((word) => word.text));
const namesOf = (text: string) => programsOf(text, 'posix').map(({ name }) => name);

describe('a command line', () => {
  it.each<[string, string[][]]>([
    ['a b  c', [['a', 'b', 'c']]],
    [`a 'b c' "d e" f\\ g`, [['a', 'b c', 'd e', 'f g']]],
    [`a 'it'"'"'s' ""`, [['a', "it's", '']]],
    ['a "b\\"c" "\\n"', [['a', 'b"c', '\\n']]],
    ['a; b && c || d | e & f\ng', [['a'], ['b'], ['c'], ['d'], ['e'], ['f'], ['g']]],
    ['a \\\n b', [['a', 'b']]],
    ['a # b; c\nd#e', [['a'], ['d#e']]],
    [
      'a $(b c) d',
      [
        ['b', 'c'],
        ['a', '', 'd'],
      ],
    ],
    [
      'a "x$(b "c d")y"',
      [
        ['b', 'c d'],
        ['a', 'xy'],
      ],
    ],
    [
      'a `b c`',
      [
        ['b', 'c'],
        ['a', ''],
      ],
    ],
    ['(a; b) | c', [['a'], ['b'], ['c']]],
    ['a <(b) c', [['b'], ['a', '', 'c']]],
    ['a $HOME ${HOME}', [['a', '$HOME', '${HOME}']]],
    ['', []],
    [';;|&', []],
    ["a 'b", [['a', 'b']]],
    ['a "b', [['a', 'b']]],
    ['a $(b', [['b'], ['a', '']]],
    ['a)b', [['a'], ['b']]],
    ['a \\', [['a', '']]],
  ])('%j is taken apart', (text, expected) => {
    expect(wordsOf(text)).toEqual(expected);
  });

  it('keeps files of redirection apart from arguments', () => {
    const [command] = parseShell('a b <in 2>err >>out &>all <<<word');
    expect(command).toMatchObject({
      words: [{ text: 'a' }, { text: 'b' }],
      reads: [{ text: 'in' }],
      writes: [{ text: 'err' }, { text: 'out' }, { text: 'all' }],
      inputs: ['word'],
    });
  });

  it('takes here-documents as input', () => {
    const commands = parseShell('a <<EOF b\nrm -rf /\nEOF\nc <<-END\n\tx\n\tEND\n');
    expect(commands.map(({ words, inputs }) => [words.map(({ text }) => text), inputs])).toEqual([
      [['a', 'b'], ['rm -rf /']],
      [['c'], ['\tx']],
    ]);
  });

  it('says which command feeds which', () => {
    const [a, b, c] = parseShell('a | b || c');
    expect([a!.pipedFrom, b!.pipedFrom, c!.pipedFrom]).toEqual([undefined, a, undefined]);
  });

  it('takes a backslash for what it is in PowerShell', () => {
    const [command] = parseShell('Get-Content C:\\a\\b "x`"y" `\n z', 'powershell');
    expect(command!.words.map(({ text }) => text)).toEqual(['Get-Content', 'C:\\a\\b', 'x"y', 'z']);
  });
});

describe('a program', () => {
  it.each<[string, string[]]>([
    ['/usr/bin/rm -rf x', ['rm']],
    ['A=b C=d rm x', ['rm']],
    ['A=b', ['']],
    ['sudo -u root rm x', ['rm']],
    ['env -u A B=c timeout -k 5 10s nice -n 5 rm x', ['rm']],
    ['xargs -n 1 -I {} rm {}', ['rm']],
    ['sudo', ['sudo']],
    ['CURL.EXE x', ['curl']],
    [`bash -lc 'rm x; ls'`, ['bash', 'rm', 'ls']],
    [`sh -c "sh -c 'sh -c rm'"`, ['sh', 'sh', 'sh', 'rm']],
    ['eval rm x', ['eval', 'rm']],
    ['bash <<EOF\nrm x\nEOF', ['bash', 'rm']],
    ['bash script.sh', ['bash']],
    ['echo "sh -c rm"', ['echo']],
  ])('of %j is found', (text, expected) => {
    expect(namesOf(text)).toEqual(expected);
  });
});

describe('a hostile command line', () => {
  const LENGTH = 200_000;
  const costOf = (text: string): number => {
    const before = process.cpuUsage();
    programsOf(text, 'posix');
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };

  it.each([
    ['quotes', '\'"'],
    ['substitutions', '$('],
    ['backticks', '`'],
    ['groups', '('],
    ['pipes', 'a|'],
    ['here-documents', 'a <<E\n'],
    ['redirections', 'a <'],
    ['escapes', '\\'],
    ['assignments', 'A='],
    ['wrappers', 'sudo '],
    ['one word', 'a'],
    ['shells', 'sh -c "'],
    ['blanks', ' '],
    ['comments', ' #\n'],
  ])('of %s costs time by its length', (_, piece) => {
    const text = piece.repeat(LENGTH / piece.length);
    costOf(text);
    const [half, whole] = [costOf(text.slice(0, LENGTH / 2)), costOf(text)];
    // Twice the text, and room for a machine that does something else; a square of this length takes seconds.
    expect(whole).toBeLessThan(3 * half + 400_000);
  });
});
