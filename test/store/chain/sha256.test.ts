import { createHash, createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hmacSha256, sha256 } from '../../../store/chain/sha256.ts';

/** Around the block of SHA-256, and beyond the bytes that are kept for joining. */
const LENGTHS = [0, 1, 55, 56, 63, 64, 65, 1000, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 300_000];

describe('SHA-256 of parts', () => {
  it.each(LENGTHS)('is that of the concatenation, here of %i and 33 bytes', (length) => {
    const [one, other] = [randomBytes(length), randomBytes(33)];
    const expected = createHash('sha256').update(one).update(other);
    expect(sha256('hex', one, other)).toBe(expected.copy().digest('hex'));
    expect(Buffer.from(sha256('binary', one, other), 'latin1')).toEqual(expected.digest());
  });

  it('of no parts is that of nothing', () => {
    expect(sha256('hex')).toBe(createHash('sha256').digest('hex'));
  });
});

describe('HMAC-SHA-256', () => {
  it('gives the answers of RFC 4231, test cases 1, 2 and 4', () => {
    const vectors = [
      ['0b'.repeat(20), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
      [
        Buffer.from('Jefe').toString('hex'),
        'what do ya want for nothing?',
        '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      ],
    ] as const;
    for (const [key, message, mac] of vectors)
      expect(hmacSha256('hex', Buffer.from(key, 'hex'), Buffer.from(message))).toBe(mac);
    const key = Buffer.from(Array.from({ length: 25 }, (_, place) => place + 1));
    expect(hmacSha256('hex', key, Buffer.alloc(50, 0xcd))).toBe(
      '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
    );
  });

  it.each(LENGTHS)('is that of node:crypto for a message of %i bytes', (length) => {
    const [key, message] = [randomBytes(32), randomBytes(length)];
    expect(hmacSha256('hex', key, message)).toBe(createHmac('sha256', key).update(message).digest('hex'));
  });

  it('refuses a key that would have to be hashed first', () => {
    expect(() => hmacSha256('hex', randomBytes(65), Buffer.of())).toThrow(RangeError);
  });
});
