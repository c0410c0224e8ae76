import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Problem } from '../../../schemas/problem.ts';
import { openCheckpoint } from '../../../store/chain/checkpoint.ts';
import { parseVkey } from '../../../store/chain/note.ts';
import { openApiStack, type ApiStack } from '../../support/api-stack.ts';
import { unreachableStore } from '../../support/unreachable-store.ts';

let stack: ApiStack;

beforeEach(async () => {
  stack = await openApiStack(unreachableStore());
});
afterEach(() => stack.close());

describe('checkpoint route', () => {
  it('has nothing before the first checkpoint is published', async () => {
    const answer = await stack.get('/v1/log/checkpoint');
    expect(answer.statusCode).toBe(404);
    expect(answer.json<Problem>().detail).toContain('no checkpoint');
  });

  it('gives the note byte for byte, so that its signature holds', async () => {
    const published = stack.published.publish(['aa'.repeat(32), 'bb'.repeat(32)]);
    const answer = await stack.get('/v1/log/checkpoint');
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(answer.body).toBe(published.note);
    expect(openCheckpoint(answer.body, parseVkey(stack.published.vkey)!)).toMatchObject({
      tree_size: 2,
      root_hash: published.root_hash,
    });
  });

  it('answers 304 to a client that holds it, and the new one once the log has grown', async () => {
    stack.published.publish(['aa'.repeat(32)]);
    const etag = String((await stack.get('/v1/log/checkpoint')).headers.etag);
    for (const held of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await stack.get('/v1/log/checkpoint', { 'if-none-match': held });
      expect([answer.statusCode, answer.body, answer.headers.etag]).toEqual([304, '', etag]);
    }
    stack.published.publish(['aa'.repeat(32), 'cc'.repeat(32)]);
    const grown = await stack.get('/v1/log/checkpoint', { 'if-none-match': etag });
    expect(grown.statusCode).toBe(200);
    expect(grown.headers.etag).not.toBe(etag);
  });
});
