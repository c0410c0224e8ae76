/** Paths in one spelling, whatever the machine and the client that wrote them. Pure, and linear in the text. */

export interface SpelledPath {
  /** `home` is a path that begins with `~`. A network path begins with its server, a drive path with its drive. */
  readonly kind: 'posix' | 'drive' | 'network' | 'url' | 'home' | 'relative';
  /** Of a URL its scheme and host, of a home path the account behind `~`; '' for every other kind. */
  readonly head: string;
  /** Without '', '.' and, but at the beginning of a relative path, '..'. */
  readonly segments: readonly string[];
}

/**
 * Reads a path of POSIX, Windows, WSL or macOS, or a URL. Backslashes count as slashes, because Windows takes both and
 * names with a backslash are rare elsewhere. Links are not followed: a `..` takes the segment before it away.
 */
export function spellPath(text: string): SpelledPath {
  const url = OTHER_URL.exec(text);
  if (url !== null && !FILE_URL.test(text)) return spellUrl(text, url[0]);
  const plain = withoutDevice(openFileUrl(text).replaceAll('\\', '/'));
  const [, drive, behind] = DRIVE.exec(plain) ?? [];
  if (drive !== undefined && (behind !== '' || text.includes('\\') || plain.length === 2)) {
    return { kind: 'drive', head: '', segments: [drive.toUpperCase(), ...withoutDots(plain.slice(2), true)] };
  }
  const account = ACCOUNT.exec(plain)?.[1];
  if (account !== undefined) return spellHome(account, plain.slice(account.length + 1));
  if (!plain.startsWith('/')) return { kind: 'relative', head: '', segments: withoutDots(plain, false) };
  return spellRooted(plain);
}

/** The one text of a path. `spellPath` of it is the same path. */
export function toPathText({ kind, head, segments }: SpelledPath): string {
  const joined = segments.join('/');
  switch (kind) {
    case 'posix':
      return `/${joined}`;
    case 'drive':
      return segments.length === 1 ? `${joined}/` : joined;
    case 'network':
      return `//${joined}`;
    case 'url':
      return `${head}/${joined}`;
    case 'home':
      return joined === '' ? `~${head}` : `~${head}/${joined}`;
    case 'relative':
      if (joined === '') return '.';
      return NOT_RELATIVE.test(joined) ? `./${joined}` : joined;
  }
}

const FILE_URL = /^file:/i;
/** Scheme and authority of a URL. A scheme of one letter would be a drive. */
const OTHER_URL = /^[a-z][a-z0-9+.-]{1,63}:\/\/[^/\\]*/i;
const DRIVE = /^([a-z]:)(\/?)/i;
const ACCOUNT = /^~([\w.-]*)(?=\/|$)/;
/** A relative path that begins like this would be read as another kind. */
const NOT_RELATIVE = /^(?:~|[a-z]:|file:|%2f|%5c|[a-z]%3a|[a-z][a-z0-9+.-]{1,63}:\/\/)/i;

/** The authority loses its user: `alice@host`. */
function spellUrl(text: string, start: string): SpelledPath {
  const [scheme = '', authority = ''] = start.split('://', 2);
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const segments = withoutDots(text.slice(start.length).replaceAll('\\', '/'), true);
  return { kind: 'url', head: `${scheme}://${host}`, segments };
}

/** The path that a file URL names (RFC 8089); any other text as it is, but for a path that is escaped as a whole. */
function openFileUrl(text: string): string {
  if (!FILE_URL.test(text)) return ESCAPED_WHOLE.test(text) ? unescapePath(text) : text;
  const path = text
    .slice('file:'.length)
    .replace(/[?#].*$/s, '')
    .replaceAll('\\', '/');
  const [, authority] = /^\/\/([^/]*)/.exec(path) ?? [];
  const isHere = authority === '' || authority?.toLowerCase() === 'localhost' || DRIVE.test(authority ?? '');
  const local =
    authority !== undefined && isHere ? path.slice(DRIVE.test(authority) ? 2 : authority.length + 2) : path;
  return unescapePath(local).replace(/^\/+(?=[a-z]:(?:\/|$))/i, '');
}

const ESCAPED_WHOLE = /^(?:%2f|%5c|[a-z]%3a)/i;

/** Escapes that are not UTF-8 become U+FFFD; a broken escape stays as it is. */
function unescapePath(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escaped) =>
    Buffer.from(escaped.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}

/** Windows' prefixes for long paths and devices: `\\?\C:\x`, `\\?\UNC\server\share`, `\\.\C:\x`. */
function withoutDevice(plain: string): string {
  const [prefix, network] = /^\/\/[?.]\/+(?:(UNC\/+)|(?=[a-z]:))/i.exec(plain) ?? [''];
  if (prefix === '') return plain;
  const rest = plain.slice(prefix.length);
  return network === undefined ? rest : `//${rest}`;
}

/** Home folders lie beside each other, two folders below the root: `~/../bob` is the home of another account. */
function spellHome(account: string, rest: string): SpelledPath {
  const segments = withoutDots(rest, false);
  if (segments[0] !== '..') return { kind: 'home', head: account, segments };
  return spellRooted(`/home/~/${segments.join('/')}`);
}

/** Folders at the top of POSIX machines. Two slashes before any other name begin a network path; no server begins with a dot. */
const TOP_FOLDERS: ReadonlySet<string> = new Set(
  'bin boot cygdrive data dev etc export home host lib lib64 media mnt net nfs opt private proc root run sbin srv sys system tmp users usr var volumes'.split(
    ' ',
  ),
);

function spellRooted(plain: string): SpelledPath {
  const segments = withoutDots(plain, true);
  const first = segments[0]?.toLowerCase() ?? '';
  const isNetwork = /^\/\/[^/.]/.test(plain) && !TOP_FOLDERS.has(first);
  if (!isNetwork) return { kind: 'posix', head: '', segments: withoutAliases(segments) };
  // A Linux of Windows, seen from Windows.
  if (first === 'wsl$' || first === 'wsl.localhost') {
    // The second name is that of the Linux, unless it is a folder or file that steers agents.
    const isPath = /^\.|\.json$/i.test(segments[1] ?? '');
    return { kind: 'posix', head: '', segments: withoutAliases(segments.slice(isPath ? 1 : 2)) };
  }
  return { kind: 'network', head: '', segments };
}

/** Names of folders that are found elsewhere too: macOS keeps `/tmp` and its data volume twice, Linux its root. */
function withoutAliases(segments: readonly string[]): readonly string[] {
  let from = 0;
  for (;;) {
    const [first, second, third] = segments.slice(from, from + 3).map((segment) => segment.toLowerCase());
    if (first === 'private' && PRIVATE_FOLDERS.has(second ?? '')) from += 1;
    else if (first === 'system' && second === 'volumes' && third === 'data') from += 3;
    else if (first === 'proc' && third === 'root') from += 3;
    else return from === 0 ? segments : segments.slice(from);
  }
}

const PRIVATE_FOLDERS: ReadonlySet<string> = new Set(['tmp', 'var', 'etc']);

function withoutDots(text: string, isRooted: boolean): string[] {
  const segments: string[] = [];
  for (const segment of text.split('/')) {
    if (segment === '' || segment === '.') continue;
    const above = segments.at(-1);
    if (segment !== '..') segments.push(segment);
    else if (above !== undefined && above !== '..') segments.pop();
    else if (!isRooted) segments.push(segment);
  }
  return segments;
}
