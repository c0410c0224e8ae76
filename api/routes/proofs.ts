import { Type } from 'typebox';
import { PipelineError } from '../../schemas/errors.ts';
import { HashBase64Url, HashHex, SafeCount } from '../../schemas/primitives.ts';
import { saltThatOpens } from '../../store/chain/leaf.ts';
import { leafHash, rootFromInclusion, type LeafRange } from '../../store/chain/merkle.ts';
import { formatTlogProof } from '../../store/chain/tlog-proof.ts';
import type { PublishedCheckpoint, PublishedLog } from '../../store/ledger/published-log.ts';
import { leafHashes } from '../../store/records/queries/leaves.ts';
import type { DetailedRecord } from '../../store/records/queries/records.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { GUARDED_PROBLEMS, problemAnswer } from '../http/openapi.ts';
import { buildProofCache, type ProofCache } from './proof-cache.ts';
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

/** Proof that a record is in the log, against the newest published checkpoint. */
export function proofRoute(app: TypedApp, store: RecordStore, published: readonly PublishedLog[]): void {
  const logs = new Map(
    published.map((own) => [
      own.log,
      { own, cache: buildProofCache((range) => readLeafHashes(store, own.log, range)) },
    ]),
  );
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
          500: problemAnswer('STORE_DIVERGED: the rows of the record store do not lead to the signed root'),
        },
      },
    },
    async (request, reply) => {
      const record = await findRecord(store, request.params.id);
      const log = logs.get(record.log);
      const checkpoint = await log?.own.checkpoint();
      if (log === undefined || checkpoint === undefined || record.leaf_index >= checkpoint.tree_size) {
        throw notReady(record, checkpoint?.tree_size ?? 0);
      }
      const path = await provenPath(log.cache, record, checkpoint);
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

/** Gives only a path that leads from the text of this leaf to the signed root; throws STORE_DIVERGED otherwise. */
async function provenPath(
  cache: ProofCache,
  record: DetailedRecord,
  checkpoint: PublishedCheckpoint,
): Promise<Uint8Array[]> {
  const position = { index: record.leaf_index, size: checkpoint.tree_size };
  const path = await cache.path(position.index, position.size);
  const root = rootFromInclusion(position, leafHash(Buffer.from(record.leaf)), path);
  if (root === undefined || Buffer.from(root).toString('hex') !== checkpoint.root_hash) {
    cache.reset();
    throw new PipelineError(
      'STORE_DIVERGED',
      `rows of log ${record.log} do not lead leaf ${position.index} to the root signed for size ${position.size}`,
    );
  }
  return path;
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

async function readLeafHashes(
  store: RecordStore,
  log: string,
  { start, end }: LeafRange,
): Promise<Uint8Array[]> {
  const rows = await store.read(leafHashes({ log, from_index: start, to_index: end }));
  return rows.map(({ leaf_hash }) => Buffer.from(leaf_hash, 'hex'));
}
