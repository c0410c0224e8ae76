/**
 * The logs as C2SP tlog-tiles serves them, below `/v1/logs/{log}/`. In: stored tiles and bundles. Out: the signed head, hash
 * tiles and entry bundles. A client checks all of it against the head; nothing else of this API is needed for that.
 */
import { Type } from 'typebox';
import { PipelineError } from '../../schemas/errors.ts';
import { packEntries } from '../../store/chain/entry-bundle.ts';
import { TILE_WIDTH, tileBytes } from '../../store/chain/tile.ts';
import { parseTilePath, type TilePath } from '../../store/chain/tile-path.ts';
import type { LogTree } from '../../store/ledger/log-tree.ts';
import type { PublishedCheckpoint, PublishedLog } from '../../store/ledger/published-log.ts';
import { GUARDED_PROBLEMS, problemAnswer } from '../http/openapi.ts';
import type { TypedApp } from '../http/typed-app.ts';
import { CHECKPOINT_ANSWERS, IfNoneMatch, sendCheckpoint } from './checkpoint.ts';

const LogName = Type.String({ maxLength: 64, description: 'short name of the log, e.g. p0' });
const LogParams = Type.Object({ log: LogName });
const TileParams = Type.Object({
  log: LogName,
  '*': Type.String({
    description: 'path of a hash tile, `<L>/<N>[.p/<W>]`, or of an entry bundle, `entries/<N>[.p/<W>]`',
  }),
});

const BINARY = 'application/octet-stream';
/** The bytes of a full tile never change. Only caches of one client may keep them, because reading takes a token. */
const IMMUTABLE = 'private, max-age=31536000, immutable';

const ARCHIVE_PROBLEMS = {
  500: problemAnswer('ARCHIVE_DAMAGED: the archive lacks leaves of the log, or does not read as written'),
  503: problemAnswer('ARCHIVE_UNAVAILABLE: try again after Retry-After'),
};

export interface TileSources {
  readonly published: readonly PublishedLog[];
  /** The trees of these logs, by name. */
  readonly trees: ReadonlyMap<string, LogTree>;
}

export function tileRoutes(app: TypedApp, { published, trees }: TileSources): void {
  app.get(
    '/v1/logs/:log/checkpoint',
    {
      schema: {
        tags: ['log'],
        summary: 'Newest published checkpoint of a log, where C2SP tlog-tiles clients look for it',
        params: LogParams,
        headers: IfNoneMatch,
        response: { ...GUARDED_PROBLEMS, ...CHECKPOINT_ANSWERS },
      },
    },
    async (request, reply) =>
      sendCheckpoint(await findLog(published, request.params.log).checkpoint(), request, reply),
  );
  app.get(
    '/v1/logs/:log/tile/*',
    {
      schema: {
        tags: ['log'],
        summary:
          'Hash tiles and entry bundles of a log (C2SP tlog-tiles); an entry is the canonical text of a leaf',
        params: TileParams,
        response: {
          ...GUARDED_PROBLEMS,
          ...ARCHIVE_PROBLEMS,
          200: {
            description: 'hashes of 32 bytes, or entries behind their lengths of two bytes',
            content: { [BINARY]: { schema: Type.String({ format: 'binary' }) } },
          },
          404: problemAnswer('NOT_FOUND: no such log or tile, or the newest checkpoint does not cover it'),
        },
      },
    },
    async (request, reply) => {
      const { log, '*': rest } = request.params;
      const checkpoint = await findLog(published, log).checkpoint();
      const tree = trees.get(log);
      const path = parseTilePath(`tile/${rest}`);
      const bytes = tree && path && checkpoint && (await bytesOf(tree, path, checkpoint));
      if (bytes === undefined || path === undefined)
        throw new PipelineError('NOT_FOUND', `log ${log} has no such tile under its newest checkpoint`);
      if (path.width === TILE_WIDTH) void reply.header('cache-control', IMMUTABLE);
      return reply.type(BINARY).send(bytes);
    },
  );
}

function findLog(published: readonly PublishedLog[], name: string): PublishedLog {
  const found = published.find(({ log }) => log === name);
  if (found !== undefined) return found;
  throw new PipelineError('NOT_FOUND', 'no log has this name');
}

/** Undefined where the tree of the checkpoint does not reach so far. */
async function bytesOf(
  tree: LogTree,
  { level, index, width }: TilePath,
  { tree_size: size }: PublishedCheckpoint,
): Promise<Uint8Array | undefined> {
  const leavesPerHash = level === 'entries' ? 1 : TILE_WIDTH ** level;
  if ((index * TILE_WIDTH + width) * leavesPerHash > size) return undefined;
  if (level === 'entries') {
    const texts = await tree.entries(index, width);
    return packEntries(texts.map((text) => Buffer.from(text)));
  }
  return tileBytes((await tree.tile({ level, index }, size)).slice(0, width));
}
