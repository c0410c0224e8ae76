import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Problem } from '../../../schemas/problem.ts';
import { openCheckpoint } from '../../../store/chain/checkpoint.ts';
import type { Leaf } from '../../../schemas/leaf.ts';
import { digestIn } from '../../../store/chain/leaf.ts';
import { partDigest, partLine } from '../../../store/chain/part.ts';
import { leafHash, rootFromInclusion } from '../../../store/chain/merkle.ts';
import { parseVkey } from '../../../store/chain/note.ts';
import { parseTlogProof } from '../../../store/chain/tlog-proof.ts';
import type { Query, RecordRow, RecordStore } from '../../../store/records/record-store.ts';
import { openApiStack, type ApiStack } from '../../support/api-stack.ts';
import { chdbPlace } from '../../support/chdb-store.ts';
import { openApiJudge } from '../../support/openapi-judge.ts';
import { auditRecord, sealedRows } from '../../support/sealed-rows.ts';

/** Two full tiles and one that is not. */
const COUNT = 700;

interface Proof {
  readonly index: number;
  readonly tree_size: number;
  readonly root_hash: string;
  readonly leaf: string;
  readonly leaf_hash: string;
  readonly hashes: readonly string[];
  readonly checkpoint: string;
  readonly facts_salt: string;
}

let place: Awaited<ReturnType<typeof chdbPlace>>;
let store: RecordStore;
let rows: RecordRow[];
let stack: ApiStack;

const hashesOf = (some: readonly RecordRow[]) => some.map(({ leaf_hash }) => leaf_hash);

beforeAll(async () => {
  place = await chdbPlace();
  store = await place.open();
  rows = sealedRows(Array.from({ length: COUNT }, (_, at) => auditRecord(`record-${at}`)));
  await store.insert('p0', rows, 'bundle-0');
});
afterAll(async () => {
  await stack.close();
  await store.close();
  await place.remove();
});
beforeEach(async () => {
  stack = await openApiStack(store);
});

function check(proof: Proof, row: RecordRow, from = stack): void {
  const position = { index: proof.index, size: proof.tree_size };
  const path = proof.hashes.map((hash) => Buffer.from(hash, 'base64'));
  const root = rootFromInclusion(position, leafHash(Buffer.from(proof.leaf)), path);
  const signed = openCheckpoint(proof.checkpoint, parseVkey(from.published.vkey)!);
  expect(Buffer.from(root!).toString('hex')).toBe(signed?.root_hash);
  expect(proof).toMatchObject({
    index: row.leaf_index,
    tree_size: signed?.tree_size,
    root_hash: signed?.root_hash,
    leaf_hash: row.leaf_hash,
  });
}

describe('proof of a record', () => {
  it.each([0, 1, 255, 256, 511, 512, 698, 699])('leads leaf %i to the signed root', async (at) => {
    stack.published.publish(hashesOf(rows));
    const answer = await stack.get(`/v1/records/${rows[at]!.id}/proof`);
    (await openApiJudge(stack.app)).expectAnswer('get', '/v1/records/{id}/proof', answer);
    check(answer.json<Proof>(), rows[at]!);
  });

  it('opens the facts with the salt it gives, and gives no secret', async () => {
    stack.published.publish(hashesOf(rows));
    const proof = (await stack.get(`/v1/records/${rows[3]!.id}/proof`)).json<Proof>();
    const line = partLine(3, 'facts', rows[3]!.facts);
    expect(partDigest(line, proof.facts_salt)).toBe(digestIn(JSON.parse(proof.leaf) as Leaf, 'facts'));
    expect(JSON.stringify(proof)).not.toContain(rows[3]!.facts_secret);
  });

  it('speaks of the newest checkpoint as the log grows', async () => {
    for (const size of [1, 2, 300, 512, 513, COUNT]) {
      stack.published.publish(hashesOf(rows.slice(0, size)));
      const proof = (await stack.get(`/v1/records/${rows[0]!.id}/proof`)).json<Proof>();
      expect(proof.tree_size).toBe(size);
      check(proof, rows[0]!);
    }
  });

  it('is a tlog-proof text for who accepts text/plain', async () => {
    const { note } = stack.published.publish(hashesOf(rows));
    const answer = await stack.get(`/v1/records/${rows[300]!.id}/proof`, { accept: 'text/plain' });
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    const proof = parseTlogProof(answer.body)!;
    expect(proof.checkpoint).toBe(note);
    const root = rootFromInclusion(
      { index: proof.index, size: COUNT },
      Buffer.from(rows[300]!.leaf_hash, 'hex'),
      proof.path,
    );
    expect(Buffer.from(root!).toString('hex')).toBe((await stack.published.checkpoint())?.root_hash);
  });

  it.each([
    ['*/*', 'application/json'],
    ['application/json, text/plain;q=0.5', 'application/json'],
    ['text/plain;q=0.4, application/json;q=0.5', 'application/json'],
    ['text/plain;q=0', 'application/json'],
    ['TEXT/PLAIN', 'text/plain'],
    ['text/html, text/plain;q=0.9', 'text/plain'],
    ['application/json;q=0.1, text/plain', 'text/plain'],
  ])('for Accept: %s comes as %s', async (accept, expected) => {
    stack.published.publish(hashesOf(rows));
    const answer = await stack.get(`/v1/records/${rows[0]!.id}/proof`, { accept });
    expect(answer.headers['content-type']).toContain(expected);
  });

  it.each([0, 300])('is not ready while the newest checkpoint covers %i leaves only', async (size) => {
    if (size > 0) stack.published.publish(hashesOf(rows.slice(0, size)));
    const answer = await stack.get(`/v1/records/${rows[300]!.id}/proof`);
    expect(answer.statusCode).toBe(409);
    expect(answer.headers['retry-after']).toBeDefined();
    const problem = answer.json<Problem>();
    expect(problem.code).toBe('PROOF_NOT_READY');
    expect(problem.detail).toContain(`size ${size}`);
  });

  it('is not found for a record that is not there', async () => {
    const answer = await stack.get(`/v1/records/${'0'.repeat(64)}/proof`);
    expect([answer.statusCode, answer.json<Problem>().code]).toEqual([404, 'NOT_FOUND']);
  });

  it.each(['A'.repeat(43), 'A'.repeat(200), '!!!!'])(
    'is refused where the row does not open its facts, as with the secret %s',
    async (facts_secret) => {
      const edited: RecordStore = {
        ...store,
        read: async <Row>(query: Query<Row>) =>
          (await store.read(query)).map((row) =>
            Object.hasOwn(row as object, 'facts_secret') ? { ...row, facts_secret } : row,
          ),
      };
      const own = await openApiStack(edited);
      own.published.publish(hashesOf(rows));
      const answer = await own.get(`/v1/records/${rows[3]!.id}/proof`);
      expect([answer.statusCode, answer.json<Problem>().code]).toEqual([500, 'STORE_DIVERGED']);
      await own.close();
    },
  );

  it('is refused where the row holds another leaf than the one that was sealed', async () => {
    const leaf = rows[41]!.leaf.replace('"hook"', '"otel"');
    expect(leaf).not.toBe(rows[41]!.leaf);
    const edited: RecordStore = {
      ...store,
      read: async <Row>(query: Query<Row>) =>
        (await store.read(query)).map((row) =>
          (row as { leaf?: string }).leaf === rows[41]!.leaf ? { ...row, leaf } : row,
        ),
    };
    const own = await openApiStack(edited);
    own.published.publish(hashesOf(rows));
    own.published.tree.leaves = rows.map((row) => row.leaf);
    check((await own.get(`/v1/records/${rows[40]!.id}/proof`)).json<Proof>(), rows[40]!, own);
    const answer = await own.get(`/v1/records/${rows[41]!.id}/proof`);
    expect([answer.statusCode, answer.json<Problem>().code]).toEqual([500, 'STORE_DIVERGED']);
    await own.close();
  });

  it('is refused, not made up, where the tiles are not what was signed, and given again after repair', async () => {
    const { tree } = stack.published;
    stack.published.publish(hashesOf(rows));
    tree.leaves = rows.map((row) => row.leaf);
    const { hashes } = tree;
    tree.hashes = hashes.with(40, Buffer.alloc(32, 0xee));
    let resets = 0;
    tree.reset = () => void (resets += 1);
    // The leaf itself is hashed from its own text, so its proof does not rest on the hash that was edited.
    check((await stack.get(`/v1/records/${rows[40]!.id}/proof`)).json<Proof>(), rows[40]!);
    for (const at of [41, 600]) {
      const answer = await stack.get(`/v1/records/${rows[at]!.id}/proof`);
      expect([answer.statusCode, answer.json<Problem>().code]).toEqual([500, 'ARCHIVE_DAMAGED']);
    }
    expect(resets).toBe(2);
    tree.hashes = hashes;
    expect((await stack.get(`/v1/records/${rows[600]!.id}/proof`)).statusCode).toBe(200);
  });
});
