import { operandsOf, type Program } from './program.ts';
import type { SimpleCommand, Word } from './shell.ts';

const SECRET_NAMES: ReadonlySet<string> = new Set([
  ...['.env', 'credentials.json', '.netrc', '_netrc', '.pgpass', '.git-credentials', '.htpasswd'],
  ...['id_rsa', 'id_dsa', 'id_ecdsa', 'id_ed25519'],
]);
const SECRET_ENDINGS = ['.pem', '.key', '.p12', '.pfx', '.jks', '.kdbx'];
const SECRET_FOLDERS: ReadonlySet<string> = new Set(['secrets', '.secrets', '.ssh', '.aws', '.gnupg']);
/** Files in those folders that hold no secret. */
const OPEN_NAMES = ['known_hosts', 'config', 'authorized_keys'];
/** Example files: they list variables without their values. */
const EXAMPLE_ENDINGS = ['.example', '.sample', '.template', '.dist', '.md'];
/** Programs that print or name their arguments and open none of them. */
const NAMING_PROGRAMS: ReadonlySet<string> = new Set([
  'echo',
  'printf',
  'ls',
  'test',
  '[',
  '[[',
  'basename',
  'dirname',
]);

/** Whether a path or a pattern of paths leads to a file that holds secrets, by its name or by one of its folders. */
export function isSecretPath(path: string): boolean {
  const parts = path
    .toLowerCase()
    .replaceAll('\\', '/')
    .split(/[/{},]/);
  const last = parts.at(-1) === '' ? parts.length - 2 : parts.length - 1;
  return parts.some(
    (part, at) => isSecretName(part) || (isFolderOf(part, at < last) && !isOpen(parts[last] ?? '')),
  );
}

function isSecretName(name: string): boolean {
  if (EXAMPLE_ENDINGS.some((ending) => name.endsWith(ending))) return false;
  return (
    SECRET_NAMES.has(name) ||
    /^\.env[.*?]/.test(name) ||
    SECRET_ENDINGS.some((ending) => name.endsWith(ending) && name.length > ending.length)
  );
}

/** A folder named `secrets` counts as a whole; a folder of a program's settings counts only for files in it. */
function isFolderOf(part: string, hasMore: boolean): boolean {
  return SECRET_FOLDERS.has(part) && (hasMore || part.endsWith('secrets'));
}

function isOpen(name: string): boolean {
  return OPEN_NAMES.includes(name) || name.endsWith('.pub');
}

/** Whether a program gets a secret file as an argument, or reads or writes one by redirection. */
export function touchesSecretFile({ name, args, command }: Program): boolean {
  const words = NAMING_PROGRAMS.has(name) ? [] : args;
  return [...words, ...command.reads, ...command.writes].some(namesSecret);
}

/** Finds the path also behind an option, a host or an `@`. */
function namesSecret({ text }: Word): boolean {
  return isSecretPath(text) || (/[=@:]/.test(text) && text.split(/[=@:]/).some(isSecretPath));
}

const READERS: ReadonlySet<string> = new Set([
  ...[
    'cat',
    'head',
    'tail',
    'tac',
    'less',
    'more',
    'base64',
    'base32',
    'xxd',
    'od',
    'hexdump',
    'strings',
    'sed',
    'awk',
  ],
  ...[
    'grep',
    'cut',
    'sort',
    'jq',
    'tar',
    'zip',
    'gzip',
    'bzip2',
    'xz',
    'zstd',
    'openssl',
    'gpg',
    'dd',
    'tee',
    'nl',
  ],
  ...['get-content', 'gc', 'type', 'convertto-json'],
]);
/** Programs that print secrets without being given a file. */
const DISCLOSERS: ReadonlySet<string> = new Set([
  'env',
  'printenv',
  'set',
  'export',
  'pg_dump',
  'mysqldump',
  'history',
]);

/**
 * The commands whose output comes from files, variables or databases: directly, through a command that is piped into
 * them, or through a substitution in them. Parsing lists these inner commands first, so each command is judged once.
 */
export function disclosingCommands(programs: readonly Program[]): ReadonlySet<SimpleCommand> {
  const disclosing = new Set<SimpleCommand>();
  for (const program of programs) {
    const { args, command } = program;
    const isFed = command.pipedFrom !== undefined && disclosing.has(command.pipedFrom);
    const holds = args.some(({ nested }) => nested.some((inner) => disclosing.has(inner)));
    if (isFed || holds || discloses(program)) disclosing.add(command);
  }
  return disclosing;
}

function discloses(program: Program): boolean {
  const { name, args, command } = program;
  if (DISCLOSERS.has(name) || command.reads.length > 0 || touchesSecretFile(program)) return true;
  return READERS.has(name) && operandsOf(args).length > 0;
}
