/** Paths of tiles and entry bundles below a log's prefix, as C2SP tlog-tiles writes them. Pure. */
import { TILE_WIDTH } from './tile.ts';

/** A tile, or an entry bundle: the entries below a tile of level 0. */
export interface TilePath {
  /** `entries` for an entry bundle. */
  readonly level: number | 'entries';
  readonly index: number;
  /** Number of hashes or entries, from 1 to 256. */
  readonly width: number;
}

/** SPEC (tlog-tiles): a level is a decimal number from 0 to 63. */
const MAX_LEVEL = 63;
const PATH = /^tile\/(0|[1-9][0-9]?|entries)\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/**
 * SPEC (tlog-tiles): `tile/<L>/<N>[.p/<W>]`. N is written in groups of three digits, all but the last with an x before them,
 * and with no more groups than it needs. W is from 1 to 255; without it the tile is full. Undefined for anything else.
 */
export function parseTilePath(path: string): TilePath | undefined {
  const [, level, groups, width] = PATH.exec(path) ?? [];
  if (level === undefined || groups === undefined) return undefined;
  const index = Number(groups.replaceAll(/[x/]/g, ''));
  const parsed: TilePath = {
    level: level === 'entries' ? level : Number(level),
    index,
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  const isInRange =
    Number.isSafeInteger((index + 1) * TILE_WIDTH) &&
    parsed.width <= TILE_WIDTH &&
    (parsed.level === 'entries' || parsed.level <= MAX_LEVEL);
  return isInRange && formatTilePath(parsed) === path ? parsed : undefined;
}

export function formatTilePath({ level, index, width }: TilePath): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/[0-9]{3}/g) ?? [];
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${String(level)}/${path}${width === TILE_WIDTH ? '' : `.p/${String(width)}`}`;
}
