import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../../schemas/problem.ts';
import { leafHash, rootOf } from '../../../store/chain/merkle.ts';
import { tileBytes } from '../../../store/chain/tile.ts';
import { openArchivedTree } from '../../../store/ledger/archived-tree.ts';
import type { Ledger } from '../../../store/ledger/ledger.ts';
import { openApiStack, type ApiStack } from '../../support/api-stack.ts';
import { createTestLog } from '../../support/ledger.ts';
import { hashOf, leavesOf, sealSizes } from '../../support/long-log.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';
import { openApiJudge } from '../../support/openapi-judge.ts';
import { unreachableStore } from '../../support/unreachable-store.ts';

const archive = createMemoryArchive();
let stack: ApiStack;
let ledger: Ledger;
let texts: string[];
let leaves: Uint8Array[];

beforeAll(async () => {
  ledger = await sealSizes(await createTestLog({ archive, records: createMemoryRecordStore() }), [300, 300]);
  texts = await leavesOf(archive);
  leaves = texts.map(hashOf);
  stack = await openApiStack(unreachableStore(), {
    evidence: {
      store: unreachableStore(),
      published: [ledger],
      trees: new Map([['p0', openArchivedTree({ archive, log: 'p0' })]]),
    },
  });
});
afterAll(() => stack.close());

const bytesOf = async (path: string) => {
  const answer = await stack.get(`/v1/logs/p0/${path}`);
  (await openApiJudge(stack.app)).expectAnswer('get', '/v1/logs/{log}/tile/{path}', answer);
  expect(answer.statusCode, path).toBe(200);
  expect(answer.headers['content-type']).toBe('application/octet-stream');
  return answer.rawPayload;
};

function unpack(bytes: Buffer): string[] {
  const entries: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + bytes.readUInt16BE(at);
    entries.push(bytes.subarray(at + 2, end).toString());
    at = end;
  }
  return entries;
}

describe('a log as C2SP tlog-tiles serves it', () => {
  it('has its signed head', async () => {
    const answer = await stack.get('/v1/logs/p0/checkpoint');
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.body).toBe((await ledger.checkpoint())!.note);
    const again = await stack.get('/v1/logs/p0/checkpoint', { 'if-none-match': String(answer.headers.etag) });
    expect(again.statusCode).toBe(304);
  });

  it('has full tiles and tiles as far as the head goes', async () => {
    expect(await bytesOf('tile/0/000')).toEqual(tileBytes(leaves.slice(0, 256)));
    expect(await bytesOf('tile/0/001')).toEqual(tileBytes(leaves.slice(256, 512)));
    expect(await bytesOf('tile/0/002.p/88')).toEqual(tileBytes(leaves.slice(512, 600)));
    expect(await bytesOf('tile/0/002.p/5')).toEqual(tileBytes(leaves.slice(512, 517)));
    expect(await bytesOf('tile/0/001.p/7')).toEqual(tileBytes(leaves.slice(256, 263)));
    expect(await bytesOf('tile/1/000.p/2')).toEqual(
      tileBytes([rootOf(leaves.slice(0, 256)), rootOf(leaves.slice(256, 512))]),
    );
  });

  it('has entry bundles whose entries are the leaves', async () => {
    const entries = [
      ...unpack(await bytesOf('tile/entries/000')),
      ...unpack(await bytesOf('tile/entries/001')),
      ...unpack(await bytesOf('tile/entries/002.p/88')),
    ];
    expect(entries).toEqual(texts);
    expect(entries.map((text) => leafHash(Buffer.from(text)))).toEqual(leaves);
  });

  it.each([
    ['tile/0/000', true],
    ['tile/entries/001', true],
    ['tile/0/002.p/88', false],
    ['tile/entries/002.p/88', false],
  ])('lets a client keep %s for ever: %s', async (path, isKept) => {
    const answer = await stack.get(`/v1/logs/p0/${path}`);
    expect(answer.headers['cache-control']).toBe(
      isKept ? 'private, max-age=31536000, immutable' : 'no-store',
    );
  });

  it.each([
    'p0/tile/0/002',
    'p0/tile/0/002.p/89',
    'p0/tile/0/003.p/1',
    'p0/tile/1/000',
    'p0/tile/1/000.p/3',
    'p0/tile/2/000.p/1',
    'p0/tile/entries/002',
    'p0/tile/entries/002.p/89',
    'p0/tile/0/0',
    'p0/tile/0/x000/000',
    'p0/tile/0/000.p/0',
    'p0/tile/0/000.p/256',
    'p0/tile/',
    'p0/tile/..%2fcheckpoint',
    'p1/tile/0/000',
    'p1/checkpoint',
  ])('has no %s', async (path) => {
    const answer = await stack.get(`/v1/logs/${path}`);
    expect([answer.statusCode, answer.json<Problem>().code]).toEqual([404, 'NOT_FOUND']);
  });

  it('takes no other method', async () => {
    const answer = await stack.request({ method: 'POST', url: '/v1/logs/p0/tile/0/000' });
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'GET, HEAD']);
  });

  it('says that the archive is damaged where a bundle is gone', async () => {
    const key = [...archive.objects.keys()].find((one) => one.includes('/bundle/') && one.endsWith('00300'))!;
    const objects = new Map(archive.objects);
    objects.delete(key);
    const damaged = { ...archive, get: (one: string) => Promise.resolve(objects.get(one)) };
    const own = await openApiStack(unreachableStore(), {
      evidence: {
        store: unreachableStore(),
        published: [ledger],
        trees: new Map([['p0', openArchivedTree({ archive: damaged, log: 'p0' })]]),
      },
    });
    const answer = await own.get('/v1/logs/p0/tile/entries/002.p/88');
    expect([answer.statusCode, answer.json<Problem>().code]).toEqual([500, 'ARCHIVE_DAMAGED']);
    await own.close();
  });
});
