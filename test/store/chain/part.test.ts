import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PART_KINDS } from '../../../schemas/bundle.ts';
import { canonicalJson } from '../../../schemas/canonical.ts';
import { partDigest, partDigestOfBytes, partLine, saltOf } from '../../../store/chain/part.ts';

const SECRET = Buffer.alloc(32, 7);
const secret = fc.uint8Array({ minLength: 32, maxLength: 32 });
const kind = fc.constantFrom(...PART_KINDS);
const index = fc.maxSafeNat();
const part = fc.dictionary(fc.string(), fc.string()).map((value) => canonicalJson({ ...value }));

describe('the digest of a part', () => {
  it('is what docs/formats/archive.md says, computed with node:crypto alone', () => {
    fc.assert(
      fc.property(secret, index, kind, part, (key, at, name, text) => {
        const salt = createHmac('sha256', key)
          .update(`${String(at)} ${name}`)
          .digest('base64url');
        const whole = canonicalJson({ index: at, name, part: JSON.parse(text) as never, salt });
        expect(partDigest(partLine(at, name, text), saltOf(key, at, name))).toBe(
          createHash('sha256').update(whole).digest('base64url'),
        );
      }),
    );
  });

  it('is the same over the bytes of the line as over its text', () => {
    fc.assert(
      fc.property(index, kind, part, (at, name, text) => {
        const line = partLine(at, name, text);
        const salt = saltOf(SECRET, at, name);
        expect(partDigestOfBytes(Buffer.from(line), salt)).toBe(partDigest(line, salt));
      }),
    );
  });

  it('binds index, name and part: where one of them differs, so does the digest', () => {
    const place = fc.tuple(index, kind, part);
    fc.assert(
      fc.property(place, place, (one, other) => {
        const digests = [one, other].map(([at, name, text]) =>
          partDigest(partLine(at, name, text), saltOf(SECRET, at, name)),
        );
        expect(digests[0] === digests[1]).toBe(canonicalJson(one) === canonicalJson(other));
      }),
    );
  });

  it('does not show a guessable part to who has the right candidate and no salt', () => {
    const candidates = ['allow', 'deny', 'ask'].map((decision) => canonicalJson({ decision }));
    fc.assert(
      fc.property(secret, fc.constantFrom(...candidates), fc.nat(1000), (key, text, at) => {
        const digest = partDigest(partLine(at, 'facts', text), saltOf(key, at, 'facts'));
        // The attacker knows index, name, format and all candidates, and salts that were disclosed with other parts.
        const disclosed = ['', saltOf(key, at, 'content'), saltOf(key, at + 1, 'facts')];
        const guesses = candidates.flatMap((guess) =>
          disclosed.map((salt) => partDigest(partLine(at, 'facts', guess), salt)),
        );
        expect(guesses).not.toContain(digest);
      }),
    );
  });
});

describe('salts', () => {
  it('differ for each index and each part under one secret', () => {
    const salts = Array.from({ length: 2_000 }, (_, at) => [
      ...PART_KINDS.map((name) => saltOf(SECRET, at, name)),
    ]).flat();
    expect(new Set(salts).size).toBe(salts.length);
  });

  it('of the same parts differ under another secret', () => {
    fc.assert(
      fc.property(secret, secret, index, kind, (one, other, at, name) => {
        fc.pre(!Buffer.from(one).equals(Buffer.from(other)));
        expect(saltOf(one, at, name)).not.toBe(saltOf(other, at, name));
      }),
    );
  });
});
