import * as crypto from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { createTokenVerifier, toTokenEntry } from '../../../store/keys/tokens.ts';

vi.mock('node:crypto', async (load) => {
  const real = await load<typeof crypto>();
  return { ...real, timingSafeEqual: vi.fn(real.timingSafeEqual) };
});

it('a token is compared with every known one, in a time that does not depend on the digits that are right', () => {
  const known = ['first', 'second', 'third'].map((id) => toTokenEntry(id, 'collector', `${id}-token`));
  const verify = createTokenVerifier(known);
  const compare = vi.mocked(crypto.timingSafeEqual);
  for (const [token, id] of [
    ['first-token', 'first'],
    ['third-token', 'third'],
    ['nobody-token', undefined],
  ] as const) {
    compare.mockClear();
    expect(verify(token)?.id).toBe(id);
    expect(compare).toHaveBeenCalledTimes(known.length);
  }
});
