import { operandsOf, type Program } from './program.ts';
import type { SimpleCommand, Word } from './shell.ts';

const SECRET_NAMES: ReadonlySet<string> = new Set([
  ...['.env', 'credentials.json', '.netrc', '_netrc', '.pgpass', '.git-credentials', '.htpasswd'],
  ...['id_rsa', 'id_dsa', 'id_ecdsa', 'id_ed25519'],
]);
const SECRET_ENDINGS = ['.pem', '.key', '.p12', '.pfx', '.jks', '.kdbx'];
const SECRET_FOLDERS: ReadonlySet<string> = new Set(['secrets', '.secrets', '.ssh', '.aws', '.gnupg']);
/** Files of those folders that everybody may see. */
const OPEN_NAMES = ['known_hosts', 'config', 'authorized_keys'];
/** Written to be read: they say which variables there are, not what they hold. */
const EXAMPLE_ENDINGS = ['.example', '.sample', '.template', '.dist', '.md'];
/** They print or name their arguments and open none of them. */
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

/** Whether a path or a pattern of paths is one of a file that holds secrets, by its name or a folder on its way. */
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

/** A folder named `secrets` is meant as a whole too; one of a program's settings only by what lies in it. */
function isFolderOf(part: string, hasMore: boolean): boolean {
  return SECRET_FOLDERS.has(part) && (hasMore || part.endsWith('secrets'));
}

function isOpen(name: string): boolean {
  return OPEN_NAMES.includes(name) || name.endsWith('.pub');
}

/** Whether a program is given a secret file, or reads or writes one by redirection. */
export function touchesSecretFile({ name, args, command }: Program): boolean {
  const words = NAMING_PROGRAMS.has(name) ? [] : args;
  return [...words, ...command.reads, ...command.writes].some(namesSecret);
}

/** Also where the path stands behind an option, a host or an `@`. */
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
/** They put secrets out without being given a file. */
const TELLERS: ReadonlySet<string> = new Set([
  'env',
  'printenv',
  'set',
  'export',
  'pg_dump',
  'mysqldump',
  'history',
]);

/**
 * The commands whose output comes from files, variables or databases, through themselves, what feeds them, or what
 * stands within them. In the order of parsing, in which those come first; each is looked at once.
 */
export function commandsThatTell(programs: readonly Program[]): ReadonlySet<SimpleCommand> {
  const telling = new Set<SimpleCommand>();
  for (const program of programs) {
    const { args, command } = program;
    const isFed = command.pipedFrom !== undefined && telling.has(command.pipedFrom);
    const holds = args.some(({ nested }) => nested.some((inner) => telling.has(inner)));
    if (isFed || holds || tells(program)) telling.add(command);
  }
  return telling;
}

function tells(program: Program): boolean {
  const { name, args, command } = program;
  if (TELLERS.has(name) || command.reads.length > 0 || touchesSecretFile(program)) return true;
  return READERS.has(name) && operandsOf(args).length > 0;
}
