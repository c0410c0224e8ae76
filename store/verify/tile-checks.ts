/** Compares the hash tiles of a log with those that its leaves make. */
import { tileKey } from '../chain/layout.ts';
import { HASH_BYTES, leavesUnder, tileBytes, type Tile, type TileRows } from '../chain/tile.ts';
import { checkLockHolds, readObject } from './archive-reader.ts';
import type { LogRun } from './log-run.ts';
import type { ReadBundle } from './read-bundle.ts';
import { splitHashes } from './tree.ts';

/**
 * SPEC (archive.md): each full tile is an object of exactly the hashes of its level, put after the bundle that makes it full
 * and before the checkpoint of that bundle, under the lock that the bundle signs. `rows` hold the leaves before the bundle.
 */
export async function checkTiles(
  run: LogRun,
  rows: TileRows,
  bundle: Pick<ReadBundle, 'header' | 'leafHashes'>,
): Promise<void> {
  for (const hash of splitHashes(bundle.leafHashes))
    for (const tile of rows.add(hash)) await checkTile(run, tile, bundle.header);
}

async function checkTile(
  { reader, listing, findings }: LogRun,
  tile: Tile,
  { lock: signed }: ReadBundle['header'],
): Promise<void> {
  const key = tileKey(listing.log, tile.level, tile.index);
  const end = (tile.index + 1) * leavesUnder(tile.level);
  const first = end - leavesUnder(tile.level);
  const object = await readObject(reader, key, first, findings);
  listing.tiles.delete(key);
  if (object === undefined) {
    if (end <= (listing.early.checkpoints.at(-1) ?? 0)) findings.fail('tile_missing', first, key);
    return;
  }
  checkLockHolds(key, { lock: object.lock, signed }, first, findings);
  // Leaves that could not be read hide the first hashes; the others are compared.
  const known = tileBytes(tile.hashes);
  const isSame = object.bytes.subarray(-known.length).equals(known) || known.length === 0;
  const length = known.length + tile.unknown * HASH_BYTES;
  if (!isSame || object.bytes.length !== length)
    findings.fail('tile_mismatch', first, `${key} does not hold the hashes that the leaves make`);
}
