/** Where machines keep the home folders of people. Pure. */
import type { SpelledPath } from './path-spelling.ts';

export interface HomeFolder {
  /** How many segments of the path lead to the home folder. */
  readonly depth: number;
  /** The account that the folder is named after. */
  readonly name: string;
}

/**
 * The folders that hold a home for each account. NAME is the account, DOMAIN a Windows domain in capitals, `?` one letter
 * of a drive, `*` any name. Later layouts are longer, and only the first that fits counts.
 */
const HOMES = layouts(
  'home/DOMAIN/NAME',
  'home/NAME',
  'users/NAME',
  'var/home/NAME',
  'usr/home/NAME',
  'export/home/NAME',
  'exports/home/NAME',
  'data/home/NAME',
  'host/home/NAME',
  'mnt/home/NAME',
  'mnt/*/home/NAME',
  'nfs/home/NAME',
  'nfs/*/home/NAME',
  'net/*/home/NAME',
  '?:/users/NAME',
  '?:/documents and settings/NAME',
  '?/users/NAME',
  'mnt/?/users/NAME',
  'cygdrive/?/users/NAME',
  'volumes/*/users/NAME',
);
/** Shares that hold homes, and the share of a whole drive. */
const NETWORK_HOMES = layouts(
  '*/home/NAME',
  '*/home$/NAME',
  '*/homes/NAME',
  '*/homes$/NAME',
  '*/users/NAME',
  '*/users$/NAME',
  '*/profiles/NAME',
  '*/profiles$/NAME',
  '*/?$/users/NAME',
);
/** Homes of the account `root`, which names an office and nobody. */
const ROOT_HOMES = layouts('root', 'var/root');
/** Folders in `Users` that belong to nobody. */
const NOBODY: ReadonlySet<string> = new Set(['shared', 'public', 'default', 'default user', 'all users']);

/** Folders outside of homes that are named after a person: mounts, mail and timed commands. */
const PERSON_FOLDERS = layouts(
  'media/NAME',
  'run/media/NAME',
  'var/mail/NAME',
  'var/spool/mail/NAME',
  'var/spool/cron/crontabs/NAME',
);

/** Folders of the system itself. They name nobody, so a path into them is kept even where work is done in them. */
const SYSTEM_FOLDERS = layouts(
  ...[
    'bin',
    'boot',
    'dev',
    'etc',
    'lib',
    'lib32',
    'lib64',
    'libx32',
    'proc',
    'run',
    'sbin',
    'sys',
    'nix',
    'snap',
  ],
  ...['usr/bin', 'usr/include', 'usr/lib', 'usr/lib64', 'usr/libexec', 'usr/local', 'usr/sbin', 'usr/share'],
  ...['var/cache', 'var/db', 'var/lib', 'var/log', 'var/mail', 'var/run', 'var/spool'],
  ...['applications', 'library', 'system'],
  ...['?:/windows', '?:/program files', '?:/program files (x86)', '?:/programdata'],
);

/** Accounts that come with images and machines. Their names are words, also of folders, and name nobody. */
const SHARED_ACCOUNTS: ReadonlySet<string> = new Set(
  (
    'admin administrator app build ci claude coder codespace data deploy dev developer docker ec2-user git gitpod ' +
    'jenkins node root runner src test ubuntu user vagrant vscode web work workspace www www-data'
  ).split(' '),
);

/** Files that steer agents, and folders of such files. An account of the same name must not hide them from a rule. */
const STEERING_FILES: ReadonlySet<string> = new Set([
  'managed-settings.json',
  'settings.json',
  'settings.local.json',
]);
const STEERING_FOLDERS: ReadonlySet<string> = new Set(['hooks', 'workflows']);

/** Names are compared without regard to case, which half of all file systems ignore. */
export function foldName(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** The home folder that a path lies in, by the place of the folder. */
export function findHome(path: SpelledPath): HomeFolder | undefined {
  if (path.kind === 'relative' || path.kind === 'home' || isSealedNetwork(path)) return undefined;
  const depth = depthOf(path.kind === 'network' ? NETWORK_HOMES : HOMES, path);
  const name = path.segments[depth - 1] ?? '';
  return depth === 0 || isNobodysFolder(name) ? undefined : { depth, name };
}

/** Whether server, share and first folder were taken out of a network path. */
export function isSealedNetwork({ kind, segments }: SpelledPath): boolean {
  return kind === 'network' && segments[0] === '~';
}

/** Whether a folder beside the homes belongs to nobody, such as `Public`. */
export function isNobodysFolder(name: string): boolean {
  return NOBODY.has(foldName(name));
}

/** How many segments lead to the home of `root`; 0 for any other path. */
export function depthOfRootHome(path: SpelledPath): number {
  return path.kind === 'posix' ? depthOf(ROOT_HOMES, path) : 0;
}

/** How many segments lead to a folder that is named after a person and is not a home; 0 for any other path. */
export function depthOfPersonFolder(path: SpelledPath): number {
  return path.kind === 'posix' ? depthOf(PERSON_FOLDERS, path) : 0;
}

export function isSystemPath(path: SpelledPath): boolean {
  return (path.kind === 'posix' || path.kind === 'drive') && depthOf(SYSTEM_FOLDERS, path) > 0;
}

/** Whether a name belongs to nobody: machines share it, or rules about files look for it. */
export function isNobodysName(name: string): boolean {
  const folded = foldName(name);
  return isSteering(name) || SHARED_ACCOUNTS.has(folded) || STEERING_FOLDERS.has(folded);
}

/** Whether a name is that of a file that steers agents, or begins with a dot as the folders of such files do. */
export function isSteering(name: string): boolean {
  return name.startsWith('.') || STEERING_FILES.has(foldName(name));
}

type Fits = (segment: string) => boolean;

function layouts(...patterns: readonly string[]): readonly (readonly Fits[])[] {
  return patterns.map((pattern) => pattern.split('/').map(toFits));
}

function toFits(token: string): Fits {
  if (token === '*') return () => true;
  // No account is named so; `.claude` and `.github` hold files that steer agents.
  if (token === 'NAME') return (segment) => !isSteering(segment);
  if (token === 'DOMAIN') return (segment) => /^[A-Z][A-Z0-9-]{1,14}$/.test(segment);
  if (token.startsWith('?')) {
    const rest = token.slice(1);
    return (segment) => segment.length === token.length && /^[a-z]/i.test(segment) && segment.endsWith(rest);
  }
  return (segment) => segment.toLowerCase() === token;
}

/** The length of the first layout that the path begins with; 0 if there is none. */
function depthOf(known: readonly (readonly Fits[])[], { segments }: SpelledPath): number {
  const found = known.find((layout) =>
    layout.every((fits, at) => segments[at] !== undefined && fits(segments[at])),
  );
  return found?.length ?? 0;
}
