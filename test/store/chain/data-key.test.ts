import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { KeyAddress } from '../../../schemas/data-key.ts';
import { addressText, fitsCommitment, keyCommitment } from '../../../store/chain/data-key.ts';

const RISING = createSecretKey(Buffer.from(Array.from({ length: 32 }, (_, index) => index)));
const ONES = createSecretKey(Buffer.alloc(32, 0xff));
const OF_SUBJECT: KeyAddress = {
  subject: 'AAECAwQFBgcICQoLDA0ODw',
  retention_class: 'content',
  month: '2026-11',
};
const OF_NOBODY: KeyAddress = { subject: null, retention_class: 'person', month: '2027-01' };

describe('the commitment to a data key', () => {
  // Computed by another implementation of HMAC (Python's hmac) from the text of docs/formats/key-store.md.
  it.each([
    [RISING, OF_SUBJECT, 'c360fe19216c76208356dcd4348c4ac4a08dc279d6c9fc84e8f4b6691010711c'],
    [ONES, OF_NOBODY, 'c45712f33ba7910939fa1a3bb1a18c69f7c549649dafb0d1389cfb709233ca92'],
  ])('is the one of the vectors', (key, address, expected) => {
    expect(keyCommitment(key, address).toString('hex')).toBe(expected);
    expect(fitsCommitment(key, address, Buffer.from(expected, 'hex'))).toBe(true);
  });

  it('is over the canonical text of the address, whatever the order of its members', () => {
    expect(addressText(OF_SUBJECT)).toBe(
      '{"month":"2026-11","retention_class":"content","subject":"AAECAwQFBgcICQoLDA0ODw"}',
    );
    const { month, retention_class, subject } = OF_SUBJECT;
    expect(keyCommitment(RISING, { month, subject, retention_class })).toEqual(
      keyCommitment(RISING, OF_SUBJECT),
    );
  });

  it('fits neither another key, nor another address, nor a changed or cut commitment', () => {
    const commitment = keyCommitment(RISING, OF_SUBJECT);
    expect(fitsCommitment(ONES, OF_SUBJECT, commitment)).toBe(false);
    for (const change of [{ subject: null }, { month: '2026-12' }, { retention_class: 'person' } as const])
      expect(fitsCommitment(RISING, { ...OF_SUBJECT, ...change }, commitment)).toBe(false);
    for (let bit = 0; bit < 256; bit += 1) {
      const flipped = commitment.with(bit >> 3, commitment[bit >> 3]! ^ (1 << (bit & 7)));
      expect(fitsCommitment(RISING, OF_SUBJECT, flipped)).toBe(false);
    }
    expect(fitsCommitment(RISING, OF_SUBJECT, commitment.subarray(0, 31))).toBe(false);
    expect(fitsCommitment(RISING, OF_SUBJECT, Buffer.alloc(0))).toBe(false);
  });
});
