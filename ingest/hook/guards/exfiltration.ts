import { operandsOf, optionValues, type Program } from './program.ts';
import { disclosingCommands } from './secret-files.ts';
import type { SimpleCommand, Word } from './shell.ts';

export type ExfiltrationRule =
  'file_upload' | 'piped_upload' | 'substituted_upload' | 'remote_copy' | 'socket_write';

/** Letters of curl's short options that take a value (curl(1)). */
const CURL_VALUED = 'AbcCdDeEFhHKmoPQrtTuUwxXyYz';
const CURL_FILES = ['-T', '--upload-file'];
const CURL_DATA = ['-d', '--data', '--data-ascii', '--data-binary', '--json', '--data-raw'];
const CURL_ENCODED = ['--data-urlencode', '--url-query'];
const CURL_FORMS = ['-F', '--form'];

/** Programs that send their input unchanged to another machine. */
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

/**
 * Finds the parts of a command line that send files, or text read from files, to another machine. Downloads do not
 * count.
 */
export function findExfiltration(programs: readonly Program[]): ExfiltrationRule[] {
  const disclosing = disclosingCommands(programs);
  return programs.flatMap((program) => {
    const { command } = program;
    const sent = findSent(program, disclosing);
    const isSocketFed = disclosing.has(command) && command.writes.some(isSocket);
    return [...(sent === undefined ? [] : [sent]), ...(isSocketFed ? (['socket_write'] as const) : [])];
  });
}

type Disclosing = ReadonlySet<SimpleCommand>;

function findSent({ name, args, command }: Program, disclosing: Disclosing): ExfiltrationRule | undefined {
  const isFed = isFedByFiles(command, disclosing);
  if (name === 'curl') return findInCurl(args, isFed, disclosing);
  if (name === 'wget') return findInWget(args, disclosing);
  if (WEB_CMDLETS.has(name)) return findInCmdlet(args, disclosing);
  if (PLAIN_SENDERS.has(name)) return isFed ? 'piped_upload' : undefined;
  const isCopy =
    name === 'sftp'
      ? isFed || command.inputs.some(holdsPut)
      : Object.hasOwn(COPIERS, name) && isCopyAway(args, COPIERS[name] ?? '');
  return isCopy ? 'remote_copy' : undefined;
}

function isFedByFiles({ reads, pipedFrom }: SimpleCommand, disclosing: Disclosing): boolean {
  return reads.length > 0 || (pipedFrom !== undefined && disclosing.has(pipedFrom));
}

function findInCurl(
  args: readonly Word[],
  isFed: boolean,
  disclosing: Disclosing,
): ExfiltrationRule | undefined {
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
  // Headers are left out: they carry the caller's credentials. Sent text is in the body or the address.
  const sent = [...data, ...forms, ...encoded, ...operandsOf(args, CURL_VALUED)];
  return sent.some((word) => holdsDisclosing(word, disclosing)) ? 'substituted_upload' : undefined;
}

function findInWget(args: readonly Word[], disclosing: Disclosing): ExfiltrationRule | undefined {
  if (optionValues(args, ['--post-file', '--body-file'], '').length > 0) return 'file_upload';
  const sent = [
    ...optionValues(args, ['--post-data', '--body-data'], ''),
    ...operandsOf(args, 'OoPaeUtTwQBDAR'),
  ];
  return sent.some((word) => holdsDisclosing(word, disclosing)) ? 'substituted_upload' : undefined;
}

function findInCmdlet(args: readonly Word[], disclosing: Disclosing): ExfiltrationRule | undefined {
  if (args.some(({ text }) => text.toLowerCase() === '-infile')) return 'file_upload';
  return args.some((word) => holdsDisclosing(word, disclosing)) ? 'substituted_upload' : undefined;
}

function holdsDisclosing({ nested }: Word, disclosing: Disclosing): boolean {
  return nested.some((inner) => disclosing.has(inner));
}

/** The last operand is on another machine, and one before it is not. */
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
