import { describe, expect, it } from 'vitest';
import { expectStatus } from '../../../ingest/send/http.ts';

describe('an answer of another status', () => {
  it.each([
    [401, 'AUTH_INVALID', 'affidavit init --collector NAME'],
    [403, 'AUTH_FORBIDDEN', 'admin token'],
    [503, 'STORE_UNAVAILABLE', 'retry'],
  ])('is for %i the error %s with its advice, without the raw document', async (status, code, hint) => {
    const problem = { type: 'urn:x', code: 'SOME_CODE', detail: 'what was found', instance: 'request-1' };
    const failed = expectStatus(new Response(JSON.stringify(problem), { status }), 200);
    await expect(failed).rejects.toMatchObject({
      code,
      detail: ` answered ${String(status)}: SOME_CODE: what was found`,
      hint: expect.stringContaining(hint) as string,
    });
  });
});
