import { operandsOf, optionValues, type Program } from './program.ts';
import { commandsThatTell } from './secret-files.ts';
import type { SimpleCommand, Word } from './shell.ts';

export type ExfiltrationRule =
  'file_upload' | 'piped_upload' | 'substituted_upload' | 'remote_copy' | 'socket_write';

/** Letters of curl's short options that take a value (curl(1)). */
const CURL_VALUED = 'AbcCdDeEFhHKmoPQrtTuUwxXyYz';
const CURL_FILES = ['-T', '--upload-file'];
const CURL_DATA = ['-d', '--data', '--data-ascii', '--data-binary', '--json', '--data-raw'];
const CURL_ENCODED = ['--data-urlencode', '--url-query'];
const CURL_FORMS = ['-F', '--form'];

/** They send their input to another machine as it is. */
const PLAIN_SENDERS: ReadonlySet<string> = new Set([
  'nc',
  'ncat',
  'netcat',
  'socat',
  'telnet',
  'ssh',
  'ftp',
  'tftp',
]);
const COPIERS: Readonly<Record<string, string>> = { scp: 'cFiJloPSXD', rsync: 'efTMB' };
const WEB_CMDLETS: ReadonlySet<string> = new Set(['invoke-webrequest', 'invoke-restmethod', 'iwr', 'irm']);

/** What of a command line sends files, or what was read from them, to another machine. A download is none. */
export function findExfiltration(programs: readonly Program[]): ExfiltrationRule[] {
  const telling = commandsThatTell(programs);
  return programs.flatMap((program) => {
    const { command } = program;
    const sent = findSent(program, telling);
    const isSocketFed = telling.has(command) && command.writes.some(isSocket);
    return [...(sent === undefined ? [] : [sent]), ...(isSocketFed ? (['socket_write'] as const) : [])];
  });
}

type Telling = ReadonlySet<SimpleCommand>;

function findSent({ name, args, command }: Program, telling: Telling): ExfiltrationRule | undefined {
  const isFed = isFedByFiles(command, telling);
  if (name === 'curl') return findInCurl(args, isFed, telling);
  if (name === 'wget') return findInWget(args, telling);
  if (WEB_CMDLETS.has(name)) return findInCmdlet(args, telling);
  if (PLAIN_SENDERS.has(name)) return isFed ? 'piped_upload' : undefined;
  const isCopy =
    name === 'sftp'
      ? isFed || command.inputs.some(holdsPut)
      : Object.hasOwn(COPIERS, name) && isCopyAway(args, COPIERS[name] ?? '');
  return isCopy ? 'remote_copy' : undefined;
}

function isFedByFiles({ reads, pipedFrom }: SimpleCommand, telling: Telling): boolean {
  return reads.length > 0 || (pipedFrom !== undefined && telling.has(pipedFrom));
}

function findInCurl(args: readonly Word[], isFed: boolean, telling: Telling): ExfiltrationRule | undefined {
  const valuesOf = (names: readonly string[]) => optionValues(args, names, CURL_VALUED);
  const data = valuesOf(CURL_DATA);
  const forms = valuesOf(CURL_FORMS);
  const encoded = valuesOf(CURL_ENCODED);
  const files = valuesOf(CURL_FILES).map(({ text }) => text);
  const named = [
    ...files,
    ...data.filter(({ text }) => text.startsWith('@')).map(({ text }) => text.slice(1)),
    ...forms.flatMap(({ text }) => /=[@<](.*)$/s.exec(text)?.[1] ?? []),
    ...encoded.flatMap(({ text }) => /^[^=@]*@(.*)$/s.exec(text)?.[1] ?? []),
  ];
  const isInput = (name: string) => name === '-' || name === '.' || name.startsWith('/dev/stdin');
  if (named.some((name) => !isInput(name))) return 'file_upload';
  if (isFed && named.some(isInput)) return 'piped_upload';
  // A header is how a caller says who it is; what it sends stands in the body or the address.
  const sent = [...data, ...forms, ...encoded, ...operandsOf(args, CURL_VALUED)];
  return sent.some((word) => holdsTelling(word, telling)) ? 'substituted_upload' : undefined;
}

function findInWget(args: readonly Word[], telling: Telling): ExfiltrationRule | undefined {
  if (optionValues(args, ['--post-file', '--body-file'], '').length > 0) return 'file_upload';
  const sent = [
    ...optionValues(args, ['--post-data', '--body-data'], ''),
    ...operandsOf(args, 'OoPaeUtTwQBDAR'),
  ];
  return sent.some((word) => holdsTelling(word, telling)) ? 'substituted_upload' : undefined;
}

function findInCmdlet(args: readonly Word[], telling: Telling): ExfiltrationRule | undefined {
  if (args.some(({ text }) => text.toLowerCase() === '-infile')) return 'file_upload';
  return args.some((word) => holdsTelling(word, telling)) ? 'substituted_upload' : undefined;
}

function holdsTelling({ nested }: Word, telling: Telling): boolean {
  return nested.some((inner) => telling.has(inner));
}

/** The last operand is another machine's, and one before it is not. */
function isCopyAway(args: readonly Word[], valued: string): boolean {
  const operands = operandsOf(args, valued).map(({ text }) => text);
  const target = operands.pop();
  return target !== undefined && isRemote(target) && operands.some((source) => !isRemote(source));
}

/** `host:path` or an address; a colon behind a slash is part of a name, and `C:\` is a drive. */
function isRemote(operand: string): boolean {
  return /^[a-z]+:\/\//i.test(operand) || (/^[^/:]+:/.test(operand) && !/^[A-Za-z]:[\\/]/.test(operand));
}

function isSocket({ text }: Word): boolean {
  return text.startsWith('/dev/tcp/') || text.startsWith('/dev/udp/');
}

function holdsPut(input: string): boolean {
  return input.split('\n').some((line) => /^(?:m?put|reput) /.test(line.trimStart()));
}
