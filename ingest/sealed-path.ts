/** The form of a path that facts may hold: it names no person (docs/adr/0038). Pure, and linear in its texts. */
import type { StatedFolders } from '../connectors/drafts/source.ts';
import {
  depthOfPersonFolder,
  depthOfRootHome,
  findHome,
  foldName,
  isSealedNetwork,
  isNobodysName,
  isSteering,
  isSystemPath,
} from './home-folders.ts';
import { spellPath, toPathText, type SpelledPath } from './path-spelling.ts';

/** The folders of one record, as far as they show the machine. */
export interface Places {
  /** The folder in which the session works. */
  readonly working: SpelledPath | undefined;
  /** The name of the folder that keeps the session's transcript: the path of a project with `-` for other characters. */
  readonly project: string | undefined;
  /** Whether the home folder of the session is known. */
  readonly knowsHome: boolean;
  /** That home folder, where no layout shows it. */
  readonly home: SpelledPath | undefined;
  /** Folded names of the people in whose homes the folders lie. */
  readonly people: ReadonlySet<string>;
}

/** The folders in which clients keep their settings and transcripts. They lie in the home folder. */
const CLIENT_FOLDERS: ReadonlySet<string> = new Set(['.claude', '.codex', '.copilot', '.cursor', '.gemini']);
/** No machine takes a longer path. */
const MAX_FOLDER_CHARACTERS = 32_768;

export function readPlaces({ working, transcript }: StatedFolders): Places {
  const folder = spellFolder(working);
  const file = spellFolder(transcript);
  const stated = [folder, file].filter((path) => path !== undefined);
  const homes = stated.flatMap((path) => findHome(path) ?? []);
  const isRoot = stated.some((path) => depthOfRootHome(path) > 0);
  const home = homes.length > 0 || isRoot || file === undefined ? undefined : homeAroundClient(file);
  const names = [...homes.map(({ name }) => name), ...(home === undefined ? [] : nameOfHome(home))];
  return {
    working: folder,
    project: file?.segments.at(-2),
    knowsHome: homes.length > 0 || isRoot || home !== undefined,
    home,
    people: new Set(names.map(foldName)),
  };
}

function spellFolder(text: string | undefined): SpelledPath | undefined {
  if (text === undefined || text === '' || text.length > MAX_FOLDER_CHARACTERS) return undefined;
  const path = spellPath(text);
  return path.kind === 'relative' || path.kind === 'home' ? undefined : path;
}

function homeAroundClient(file: SpelledPath): SpelledPath | undefined {
  const at = file.segments.findIndex((segment) => CLIENT_FOLDERS.has(segment));
  return at < 1 ? undefined : { ...file, segments: file.segments.slice(0, at) };
}

/** A folder at the top, such as `/app`, is the home of a container and is not named after anybody. */
function nameOfHome({ segments }: SpelledPath): string[] {
  return segments.length < 2 ? [] : segments.slice(-1);
}

/**
 * `.claude` and `.github` steer agents and pipelines, so a path keeps such a folder even where work is done in it.
 * Undefined for the root of a file system, in which everything lies.
 */
function beforeDotFolder(folder: SpelledPath): SpelledPath | undefined {
  const dot = folder.segments.findIndex((segment) => segment.startsWith('.'));
  const segments = dot < 0 ? folder.segments : folder.segments.slice(0, dot);
  const least = folder.kind === 'drive' ? 2 : folder.kind === 'network' ? 3 : 1;
  return segments.length < least ? undefined : { ...folder, segments };
}

/**
 * The first of these that fits: `~/…` in a home folder, `~other/…` where the record shows that it is not the session's,
 * `~root/…`; the path itself in a folder of the system; relative to the folder of the session; `//~/…` on a network; the
 * path itself. Folders named after a person of the record become `~`. Sealing a sealed path changes nothing.
 */
export function sealPath(text: string, places: Places): string {
  if (text === '') return text;
  const path = resolve(spellPath(text), places);
  const own = findHome(path);
  const owner = foldName(own?.name ?? (path.kind === 'home' ? path.head : ''));
  const people = owner === '' ? places.people : new Set([...places.people, owner]);
  return toPathText(withoutPeople(place(path, own, places), people));
}

/**
 * A relative path that leaves the folder of the session leads to a place that only this folder tells. So does one in a
 * folder such as `.claude`, whose name rules look for. A path that begins with a dot folder shows it already.
 */
function resolve(path: SpelledPath, { working }: Places): SpelledPath {
  if (path.kind !== 'relative') return path;
  const [first = ''] = path.segments;
  const isInDotFolder = working?.segments.some((segment) => segment.startsWith('.')) === true;
  if (first !== '..' && (!isInDotFolder || first.startsWith('.'))) return path;
  if (working !== undefined) return spellPath(`${toPathText(working)}/${path.segments.join('/')}`);
  const above = path.segments.findIndex((segment) => segment !== '..');
  const rest: SpelledPath = { kind: 'posix', head: '', segments: path.segments.slice(above) };
  return above > 0 && findHome(rest) !== undefined ? rest : path;
}

function place(path: SpelledPath, own: ReturnType<typeof findHome>, places: Places): SpelledPath {
  if (path.kind === 'home') return { ...path, head: accountOf(path.head, places) };
  if (path.kind === 'relative') return path;
  const { segments } = path;
  if (isSealedNetwork(path)) return path;
  if (own !== undefined) return homePath(segments.slice(own.depth), accountOf(own.name, places));
  const rootDepth = depthOfRootHome(path);
  if (rootDepth > 0) return homePath(segments.slice(rootDepth), 'root');
  const inHome = places.home === undefined ? undefined : restInside(path, places.home);
  if (inHome !== undefined) return homePath(inHome, '');
  if (isSystemPath(path)) return path;
  const inProject = restInProject(path, places.project) ?? restInWorking(path, places.working);
  if (inProject !== undefined) return { kind: 'relative', head: '', segments: inProject };
  return path.kind === 'network' ? neutralNetwork(segments) : path;
}

function homePath(segments: readonly string[], account: string): SpelledPath {
  return { kind: 'home', head: account, segments };
}

/** '' for a home folder that may be the session's. */
function accountOf(name: string, { knowsHome, people }: Places): string {
  if (name === '' || name === 'root' || name === 'other') return name;
  return knowsHome && !people.has(foldName(name)) ? 'other' : '';
}

/**
 * Servers and shares can be named after a person, and the first folder of a share often is. A folder or file that steers
 * agents is kept with all behind it. A file that lies in the share itself is told from a folder by the dot in its name.
 */
function neutralNetwork(segments: readonly string[]): SpelledPath {
  const steering = segments.findIndex(isSteering);
  const isInShare = segments.length === 3 && segments[2]?.includes('.') === true;
  const from = steering >= 0 && steering < 3 ? steering : isInShare ? 2 : 3;
  return { kind: 'network', head: '', segments: ['~', ...segments.slice(from)] };
}

function restInWorking(path: SpelledPath, working: SpelledPath | undefined): readonly string[] | undefined {
  const folder = working === undefined ? undefined : beforeDotFolder(working);
  return folder === undefined ? undefined : restInside(path, folder);
}

function restInside(path: SpelledPath, folder: SpelledPath): readonly string[] | undefined {
  if (path.kind !== folder.kind || path.head !== folder.head) return undefined;
  const isInside = folder.segments.every(
    (segment, at) => foldName(segment) === foldName(path.segments[at] ?? ''),
  );
  return isInside ? path.segments.slice(folder.segments.length) : undefined;
}

/**
 * The path inside the project whose folder of transcripts has this name. Every character of the project's path has one
 * in the name, so its length is known.
 */
function restInProject(path: SpelledPath, project: string | undefined): readonly string[] | undefined {
  if (project === undefined || !/^(?:-|[a-z]--)/i.test(project)) return undefined;
  const text = toPathText(path);
  const end = project.length;
  if (text.length > end && text[end] !== '/') return undefined;
  if (
    text
      .slice(0, end)
      .replaceAll(/[^a-z0-9]/gi, '-')
      .toLowerCase() !== project.toLowerCase()
  )
    return undefined;
  const root = beforeDotFolder(spellPath(text.slice(0, end)));
  return root === undefined ? undefined : restInside(path, root);
}

/** A folder that a client names after the path of another one, as `-home-alice-acme-web`. */
const NAMED_AFTER_PATH = /^(?:-|[a-z]--)/i;
const NAMED_AFTER_HOME = /-(?:home|users)-/i;

function withoutPeople(path: SpelledPath, people: ReadonlySet<string>): SpelledPath {
  const personDepth = depthOfPersonFolder(path);
  const named = [...people].filter((name) => !isNobodysName(name));
  const isNamedAfterHome = (segment: string) =>
    NAMED_AFTER_PATH.test(segment) &&
    (NAMED_AFTER_HOME.test(segment) ||
      named.some((name) => foldName(`${segment}-`).includes(`-${name.replaceAll(/[^a-z0-9]/g, '-')}-`)));
  const segments = path.segments.map((segment, at) => {
    if (at === personDepth - 1 && !isNobodysName(segment)) return '~';
    if (isNamedAfterHome(segment)) return '-~';
    const isDrive = path.kind === 'drive' && at === 0;
    return !isDrive && named.includes(foldName(segment)) ? '~' : segment;
  });
  return { ...path, segments };
}
