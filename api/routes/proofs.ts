import { Type } from 'typebox';
import { PipelineError } from '../../schemas/errors.ts';
import { HashBase64Url, HashHex, SafeCount } from '../../schemas/primitives.ts';
import { saltThatOpens } from '../../store/chain/leaf.ts';
import { leafHash, rootFromInclusion } from '../../store/chain/merkle.ts';
import { TILE_WIDTH } from '../../store/chain/tile.ts';
import { formatTlogProof } from '../../store/chain/tlog-proof.ts';
import type { LogTree } from '../../store/ledger/log-tree.ts';
import type { PublishedCheckpoint, PublishedLog } from '../../store/ledger/published-log.ts';
import type { DetailedRecord } from '../../store/records/queries/records.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { GUARDED_PROBLEMS, problemAnswer } from '../http/openapi.ts';
import type { TypedApp } from '../http/typed-app.ts';
import { findRecord, NO_RECORD, RecordId } from './records.ts';

const TLOG_PROOF_TYPE = 'text/plain';

/** Everything needed to check one record offline: the leaf, the path to the root and the signed note. */
const ProofView = Type.Object({
  index: SafeCount,
  tree_size: SafeCount,
  root_hash: HashHex,
  leaf: Type.String({ description: 'canonical text of the leaf, the bytes that were hashed' }),
  leaf_hash: HashHex,
  hashes: Type.Array(Type.String(), { description: 'RFC 6962 audit path from the leaf upwards, base64' }),
  checkpoint: Type.String({ description: 'signed note over tree size and root' }),
  facts_salt: Type.Optional(HashBase64Url),
  person_salt: Type.Optional(HashBase64Url),
});

export interface ProofSources {
  readonly store: RecordStore;
  readonly published: readonly PublishedLog[];
  /** The trees of these logs, by name. */
  readonly trees: ReadonlyMap<string, LogTree>;
}

/** Proof that a record is in the log, against the newest published checkpoint. */
export function proofRoute(app: TypedApp, { store, published, trees }: ProofSources): void {
  app.get(
    '/v1/records/:id/proof',
    {
      schema: {
        tags: ['log'],
        summary: 'Inclusion proof of one record; C2SP tlog-proof text with Accept: text/plain',
        params: RecordId,
        response: {
          ...GUARDED_PROBLEMS,
          200: {
            description: 'proof against the newest published checkpoint',
            content: {
              'application/json': { schema: ProofView },
              [TLOG_PROOF_TYPE]: { schema: Type.String() },
            },
          },
          404: NO_RECORD,
          409: problemAnswer(
            'PROOF_NOT_READY: the record is sealed, but no published checkpoint covers it yet',
          ),
          500: problemAnswer(
            'STORE_DIVERGED: the row is not the leaf that was sealed; ARCHIVE_DAMAGED: the tiles of the log do not lead to the signed root',
          ),
        },
      },
    },
    async (request, reply) => {
      const record = await findRecord(store, request.params.id);
      const tree = trees.get(record.log);
      const checkpoint = await published.find(({ log }) => log === record.log)?.checkpoint();
      if (tree === undefined || checkpoint === undefined || record.leaf_index >= checkpoint.tree_size) {
        throw notReady(record, checkpoint?.tree_size ?? 0);
      }
      const path = await provenPath(tree, record, checkpoint);
      if (wantsText(request.headers.accept)) {
        const text = formatTlogProof({ index: record.leaf_index, path, checkpoint: checkpoint.note });
        return reply.type(`${TLOG_PROOF_TYPE}; charset=utf-8`).send(text);
      }
      return reply.send(toProofView(record, checkpoint, path));
    },
  );
}

function notReady({ leaf_index, log }: DetailedRecord, size: number): PipelineError {
  const detail = `leaf ${leaf_index} of log ${log} is beyond its newest checkpoint, size ${size}`;
  return new PipelineError('PROOF_NOT_READY', detail);
}

/**
 * Gives only a path that leads from the text of this leaf to the signed root. Otherwise throws STORE_DIVERGED where the row
 * holds another leaf than the archive, and ARCHIVE_DAMAGED where the tiles are wrong.
 */
async function provenPath(
  tree: LogTree,
  record: DetailedRecord,
  checkpoint: PublishedCheckpoint,
): Promise<Uint8Array[]> {
  const position = { index: record.leaf_index, size: checkpoint.tree_size };
  const path = await tree.path(position.index, position.size);
  const root = rootFromInclusion(position, leafHash(Buffer.from(record.leaf)), path);
  if (root !== undefined && Buffer.from(root).toString('hex') === checkpoint.root_hash) return path;
  tree.reset();
  const place = `leaf ${position.index} of log ${record.log}`;
  if (record.leaf !== (await sealedLeaf(tree, position.index)))
    throw new PipelineError('STORE_DIVERGED', `the row of ${place} does not hold the leaf that was sealed`);
  throw new PipelineError(
    'ARCHIVE_DAMAGED',
    `the tiles do not lead ${place} to the root signed for size ${position.size}`,
  );
}

async function sealedLeaf(tree: LogTree, index: number): Promise<string | undefined> {
  const tile = Math.floor(index / TILE_WIDTH);
  return (await tree.entries(tile, index - tile * TILE_WIDTH + 1)).at(-1);
}

function toProofView(record: DetailedRecord, checkpoint: PublishedCheckpoint, path: readonly Uint8Array[]) {
  return {
    index: record.leaf_index,
    tree_size: checkpoint.tree_size,
    root_hash: checkpoint.root_hash,
    leaf: record.leaf,
    // Computed from the text, so that text and hash cannot disagree.
    leaf_hash: Buffer.from(leafHash(Buffer.from(record.leaf))).toString('hex'),
    hashes: path.map((hash) => Buffer.from(hash).toString('base64')),
    checkpoint: checkpoint.note,
    ...(record.facts_secret === '' ? {} : { facts_salt: saltIn(record, 'facts') }),
    ...(record.person_secret === '' ? {} : { person_salt: saltIn(record, 'person') }),
  };
}

/**
 * The salt of this part of this record alone: the secret would open its neighbours too. Throws STORE_DIVERGED where it
 * does not open the part.
 */
function saltIn(record: DetailedRecord, kind: 'facts' | 'person'): string {
  const { log, leaf_index: index, leaf } = record;
  const salt = saltThatOpens(leaf, { index, kind, text: record[kind], secret: record[`${kind}_secret`] });
  if (salt !== undefined) return salt;
  throw new PipelineError(
    'STORE_DIVERGED',
    `the row of leaf ${index} of log ${log} does not open its ${kind}`,
  );
}

/** JSON unless text is asked for by name, and not less than JSON (RFC 9110 section 12.5.1). */
function wantsText(accept = ''): boolean {
  return qualityOf(accept, TLOG_PROOF_TYPE) > qualityOf(accept, 'application/json');
}

function qualityOf(accept: string, mediaType: string): number {
  const ranges = accept.split(',').map((range) =>
    range
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/),
  );
  const named = ranges.find(([type]) => type === mediaType);
  const weight = named?.find((parameter) => parameter.startsWith('q='))?.slice(2);
  return named === undefined ? 0 : Number(weight ?? 1);
}
