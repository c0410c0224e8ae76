import { operandsOf, type Program } from './program.ts';

export type DestructiveRule =
  'remove_root' | 'force_push' | 'delete_branch' | 'drop_table' | 'make_filesystem' | 'overwrite_device';

/** Branches that nobody may rewrite, unless the guard's settings name others; `*` at the end matches any rest. */
export const PROTECTED_BRANCHES = ['main', 'master', 'trunk', 'production', 'release', 'release/*'];

const SYSTEM_FOLDERS =
  'bin|boot|dev|etc|home|lib|lib64|opt|proc|root|sbin|srv|sys|usr|var|Users|System|Library|Applications';
/** The whole machine, a whole home or a whole folder of the system, with or without a pattern for its content. */
const ROOTS = new RegExp(
  `^(?:/+|~|\\$HOME|\\$\\{HOME\\}|/(?:${SYSTEM_FOLDERS})|[A-Za-z]:[\\\\/]*)(?:[\\\\/]+\\.?\\*?|\\*)?$`,
);
const DATABASE_CLIENTS: ReadonlySet<string> = new Set([
  ...[
    'psql',
    'mysql',
    'mariadb',
    'sqlite3',
    'sqlcmd',
    'clickhouse-client',
    'clickhouse',
    'sqlplus',
    'duckdb',
  ],
]);
const DROPS = /\b(?:drop\s+(?:table|database|schema)|truncate\s+table)\b/i;
/** Devices that hold nothing. */
const HARMLESS_DEVICES = /^\/dev\/(?:null|zero|stdout|stderr|stdin|tty|fd\/\d+|tcp\/.*|udp\/.*|shm\/.*)$/;

/** Finds the parts of a command line that destroy data which cannot be restored. */
export function findDestruction(
  programs: readonly Program[],
  branches: readonly string[],
): DestructiveRule[] {
  return programs.flatMap((program) => {
    const { name, args, command } = program;
    const rules: (DestructiveRule | undefined)[] = [
      removesRoot(program) ? 'remove_root' : undefined,
      name === 'git'
        ? findInGit(
            args.map(({ text }) => text),
            branches,
          )
        : undefined,
      DATABASE_CLIENTS.has(name) && holdsDrop(program) ? 'drop_table' : undefined,
      makesFilesystem(program) ? 'make_filesystem' : undefined,
      name === 'dd' && args.some(({ text }) => text.startsWith('of=') && isDisk(text.slice(3)))
        ? 'overwrite_device'
        : undefined,
      command.writes.some(({ text }) => isDisk(text)) ? 'overwrite_device' : undefined,
    ];
    return rules.filter((rule) => rule !== undefined);
  });
}

/** Used also for tools that take SQL directly. */
export function holdsDropStatement(sql: string): boolean {
  return DROPS.test(sql);
}

/** Options that make a program work on a whole tree of folders. */
const REMOVERS: Readonly<Record<string, RegExp>> = {
  rm: /^(?:--recursive|-[A-Za-z]*[rR][A-Za-z]*)$/,
  find: /^(?:-delete|rm)$/,
  chmod: /^(?:--recursive|-[A-Za-z]*R[A-Za-z]*)$/,
  chown: /^(?:--recursive|-[A-Za-z]*R[A-Za-z]*)$/,
  ...Object.fromEntries(
    ['remove-item', 'ri', 'rd', 'rmdir', 'del'].map((name) => [name, /^(?:-r|-recurse|\/s)$/i]),
  ),
};

function removesRoot({ name, args }: Program): boolean {
  const recursive = Object.hasOwn(REMOVERS, name) ? REMOVERS[name] : undefined;
  if (recursive === undefined) return false;
  if (args.some(({ text }) => text === '--no-preserve-root')) return true;
  return (
    args.some(({ text }) => recursive.test(text)) && operandsOf(args).some(({ text }) => ROOTS.test(text))
  );
}

const FORCE = /^(?:--force|--force-with-lease(?:=.*)?|-[a-z]*f[a-z]*)$/;

function findInGit(args: readonly string[], branches: readonly string[]): DestructiveRule | undefined {
  const push = args.indexOf('push');
  // Before `push` come options of git itself, with or without a value.
  if (push === -1 || (push > 0 && !args[0]?.startsWith('-'))) return undefined;
  const given = args.slice(push + 1);
  const has = (...names: string[]) => given.some((text) => names.includes(text));
  const isForced = given.some((text) => FORCE.test(text));
  const refs = given.filter((text) => !text.startsWith('-')).slice(1);
  const hit = refs.filter((ref) => branches.some((pattern) => isBranch(branchOf(ref), pattern)));
  if (hit.some((ref) => ref.startsWith(':')) || (hit.length > 0 && has('--delete', '-d')))
    return 'delete_branch';
  if (hit.some((ref) => isForced || ref.startsWith('+'))) return 'force_push';
  return isForced && has('--mirror', '--all') ? 'force_push' : undefined;
}

/** The branch that a refspec changes on the other side. */
function branchOf(ref: string): string {
  const target = (ref.startsWith('+') ? ref.slice(1) : ref).split(':').at(-1) ?? '';
  return target.replace(/^refs\/heads\//, '');
}

function isBranch(branch: string, pattern: string): boolean {
  return pattern.endsWith('*') ? branch.startsWith(pattern.slice(0, -1)) : branch === pattern;
}

function holdsDrop({ args, command }: Program): boolean {
  const fed = command.pipedFrom?.words.map(({ text }) => text) ?? [];
  return [...args.map(({ text }) => text), ...command.inputs, ...fed].some(holdsDropStatement);
}

function makesFilesystem({ name, args }: Program): boolean {
  if (name === 'format-volume' || name === 'clear-disk') return true;
  const isMaker = name === 'mkfs' || name.startsWith('mkfs.') || name === 'wipefs' || name === 'mkswap';
  return isMaker && operandsOf(args).some(({ text }) => isDisk(text));
}

function isDisk(path: string): boolean {
  return path.startsWith('/dev/') && !HARMLESS_DEVICES.test(path);
}
