import { describe, expect, it } from 'vitest';
import { PipelineError } from '../../../../schemas/errors.ts';
import { delayMs, withRetries, type Retrying } from '../../../../store/archive/s3/retry.ts';

const limits = { maxAttempts: 4, baseDelayMs: 100, maxDelayMs: 350 };
const answer = (status: number, name = 'InternalError') =>
  Object.assign(new Error(name), { name, $metadata: { httpStatusCode: status } });

/** Runs work that fails with each of these in turn, then succeeds. */
async function run(failures: readonly unknown[]) {
  const waits: number[] = [];
  const retrying: Retrying = {
    limits,
    random: () => 0.5,
    sleep: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
  };
  const outcome = await withRetries(retrying, 'trying', (count) =>
    count < failures.length ? Promise.reject(failures[count] as Error) : Promise.resolve('done'),
  ).catch((error: unknown) => error);
  return { outcome, waits };
}

describe('retries', () => {
  it('wait evenly between nothing and a bound that doubles up to its limit', () => {
    const bounds = (random: () => number) =>
      [1, 2, 3, 4].map((failures) => delayMs({ limits, random }, failures));
    expect(bounds(() => 0)).toEqual([0, 0, 0, 0]);
    expect(bounds(() => 1)).toEqual([100, 200, 350, 350]);
  });

  it.each([
    ['a status of the server', answer(500)],
    ['a request for less', answer(503, 'SlowDown')],
    ['too many requests', answer(429)],
    ['a writer in the same moment', answer(409, 'ConditionalRequestConflict')],
    ['a body changed on its way', answer(400, 'BadDigest')],
    ['a body that stalled', answer(400, 'RequestTimeout')],
    ['a broken connection', Object.assign(new Error('reset'), { code: 'ECONNRESET' })],
    ['no answer', Object.assign(new Error('late'), { name: 'TimeoutError' })],
    ['an answer cut off', new Error('aborted')],
  ])('follow %s', async (_name, failure) => {
    expect(await run([failure, failure])).toEqual({ outcome: 'done', waits: [50, 100] });
  });

  it.each([
    ['rights', answer(403, 'AccessDenied')],
    ['a missing bucket', answer(404, 'NoSuchBucket')],
    ['an invalid request', answer(400, 'InvalidRequest')],
  ])('do not follow %s, and the code says to try later', async (_name, failure) => {
    const { outcome, waits } = await run([failure]);
    expect(waits).toEqual([]);
    expect(outcome).toMatchObject({ code: 'ARCHIVE_UNAVAILABLE', cause: failure });
    expect((outcome as PipelineError).detail).toBe(
      `trying: ${String(failure.$metadata.httpStatusCode)} ${failure.name}`,
    );
  });

  it('end after the last attempt with what broke it', async () => {
    const { outcome, waits } = await run(Array.from({ length: 9 }, () => answer(500)));
    expect(outcome).toMatchObject({ code: 'ARCHIVE_UNAVAILABLE', detail: 'trying: 500 InternalError' });
    expect(waits).toEqual([50, 100, 175]);
  });

  it('leave mistakes of the program and decided errors as they are', async () => {
    const mistake = new TypeError('undefined is not a function');
    const decided = new PipelineError('ARCHIVE_CONFLICT', 'taken');
    expect((await run([mistake])).outcome).toBe(mistake);
    expect((await run([decided])).outcome).toBe(decided);
  });
});
