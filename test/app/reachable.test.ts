import { describe, expect, it } from 'vitest';
import { createReachable } from '../../app/reachable.ts';
import { PipelineError } from '../../schemas/errors.ts';

describe('the question whether the record store answers', () => {
  it('has the code of its failure as the answer, and none while it is well', async () => {
    let failure: PipelineError | undefined;
    const read = () => (failure === undefined ? Promise.resolve([]) : Promise.reject(failure));
    const reachable = createReachable({ read });
    expect(await reachable()).toBeUndefined();
    failure = new PipelineError('STORE_UNAVAILABLE', 'gone');
    expect(await reachable()).toBe('STORE_UNAVAILABLE');
    failure = undefined;
    expect(await reachable()).toBeUndefined();
  });

  it('is not waited for for ever, and not asked again while it is on its way', async () => {
    let asked = 0;
    const read = () => {
      asked += 1;
      return new Promise<never>(() => undefined);
    };
    const reachable = createReachable({ read }, 10);
    expect(await Promise.all([reachable(), reachable()])).toEqual(['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE']);
    expect(await reachable()).toBe('STORE_UNAVAILABLE');
    expect(asked).toBe(1);
  });

  it('is asked again after a store that threw at once', async () => {
    let asked = 0;
    const read = () => {
      asked += 1;
      throw new Error('not open');
    };
    const reachable = createReachable({ read });
    expect(await reachable()).toBe('INTERNAL');
    expect(await reachable()).toBe('INTERNAL');
    expect(asked).toBe(2);
  });
});
