/**
 * The hash tiles of a log as a projection. In: bundles. Out: full tiles in the archive, put create-only under the lock of
 * the bundle that makes them full. The one invariant: the last tile of level 0 is put after all other tiles of its bundles,
 * so where it lies in the archive, no tile before it is missing.
 *
 * If the process dies before a tile is put, no checkpoint covers its leaves yet. The next start finds the last tile of
 * level 0 and puts the tiles behind it; two processes that do so put the same bytes.
 */
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { inParallel } from '../../schemas/in-parallel.ts';
import type { Archive } from '../archive/archive.ts';
import { tileKey } from '../chain/layout.ts';
import { leavesUnder, TILE_WIDTH, tileBytes, TileRows, type Tile } from '../chain/tile.ts';
import { rootOf } from '../chain/merkle.ts';
import { openArchivedTree } from '../ledger/archived-tree.ts';
import type { LogTree } from '../ledger/log-tree.ts';
import { lastNumber, tileKeys } from '../ledger/numbered-keys.ts';
import type { ProjectedBundle, Projection } from '../ledger/projection.ts';

export interface TilesOptions {
  readonly log: string;
  readonly archive: Archive;
}

interface Context extends TilesOptions {
  /** Reads the tiles that this process has not made itself. */
  readonly tree: LogTree;
}

/** Tiles that are put at once. */
const PUTS_AT_ONCE = 8;

export function createTilesProjection(options: TilesOptions): Projection {
  const { log, archive } = options;
  const context: Context = { ...options, tree: openArchivedTree(options) };
  // Undefined until the archive was asked, and again after a failure: a put may have been applied.
  let rows: TileRows | undefined;
  return {
    name: 'hash tiles',
    version: 1,
    stage: 'publishing',
    async size() {
      const last = rows === undefined ? await lastNumber(archive, tileKeys(log, 0)) : undefined;
      rows ??= new TileRows(last === undefined ? 0 : (last + 1) * TILE_WIDTH);
      return rows.size;
    },
    async apply(bundles) {
      const known = rows;
      rows = undefined;
      if (known === undefined) throw new PipelineError('INTERNAL', 'hash tiles were not counted before');
      const made = bundles.flatMap((bundle) => tilesOf(known, bundle));
      await putInOrder(context, made);
      rows = known;
    },
    clear() {
      // The archive deletes nothing: all tiles are put again, and those that are there must be the same.
      rows = new TileRows(0);
      return Promise.resolve();
    },
  };
}

interface LockedTile {
  readonly tile: Tile;
  readonly lock: ArchiveLock;
}

function tilesOf(rows: TileRows, { start_index, lock, leafHashes }: ProjectedBundle): LockedTile[] {
  if (start_index > rows.size) {
    const detail = `hash tiles end at ${String(rows.size)}, the bundle begins at ${String(start_index)}`;
    throw new PipelineError('INTERNAL', detail);
  }
  const added = leafHashes.slice(rows.size - start_index);
  return added.flatMap((hash) => rows.add(hash)).map((tile) => ({ tile, lock }));
}

async function putInOrder(context: Context, made: readonly LockedTile[]): Promise<void> {
  const last = made.findLast(({ tile }) => tile.level === 0);
  if (last === undefined) return;
  const lowest = made.filter((one) => one !== last && one.tile.level === 0);
  // Tiles of a level are read for those above it, so each level is put after the one below.
  const others = made.filter(({ tile }) => tile.level > 0);
  await inParallel(lowest, PUTS_AT_ONCE, (one) => putTile(context, one));
  for (const one of others) await putTile(context, one);
  await putTile(context, last);
}

async function putTile(context: Context, { tile, lock }: LockedTile): Promise<void> {
  const { log, archive } = context;
  const key = tileKey(log, tile.level, tile.index);
  const bytes = tileBytes([...(await unknownHashes(context, tile)), ...tile.hashes]);
  try {
    await archive.put(key, bytes, lock);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== 'ARCHIVE_CONFLICT') throw error;
    throw new PipelineError('ARCHIVE_DAMAGED', `tile ${key} is not the one that its leaves make`, {
      cause: error,
    });
  }
}

/** The first hashes of a tile that this process began in the middle of: roots of tiles in the archive. */
async function unknownHashes({ tree }: Context, { level, index, unknown }: Tile): Promise<Uint8Array[]> {
  const hashes: Uint8Array[] = [];
  const first = index * TILE_WIDTH;
  for (let at = first; at < first + unknown; at += 1) {
    const place = { level: level - 1, index: at };
    hashes.push(rootOf(await tree.tile(place, (at + 1) * leavesUnder(level - 1))));
  }
  return hashes;
}
