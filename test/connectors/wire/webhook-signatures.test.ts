import { describe, expect, it } from 'vitest';
import { isKnownToken, isSignedBody } from '../../../connectors/wire/webhook-signatures.ts';

/** The example of docs.github.com, "Validating webhook deliveries". */
const SECRET = "It's a Secret to Everybody";
const BODY = Buffer.from('Hello, World!');
const HEADER = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';

describe('a signed body', () => {
  it('is taken under its secret, and under any of several', () => {
    expect(isSignedBody(HEADER, BODY, [SECRET])).toBe(true);
    expect(isSignedBody(HEADER, BODY, ['another secret', SECRET])).toBe(true);
    expect(isSignedBody(HEADER, BODY, [SECRET, 'another secret'])).toBe(true);
    expect(isSignedBody(HEADER.toUpperCase().replace('SHA', 'sha'), BODY, [SECRET])).toBe(true);
  });

  it.each([
    ['no secret is known', HEADER, BODY, []],
    ['it was made with another secret', HEADER, BODY, ['another secret']],
    ['the body differs by one byte', HEADER, Buffer.from('Hello, World?'), [SECRET]],
    ['it ends early', HEADER.slice(0, -1), BODY, [SECRET]],
    ['it goes on', `${HEADER}0`, BODY, [SECRET]],
    ['it is a SHA-1', `sha1=${HEADER.slice(7, 47)}`, BODY, [SECRET]],
    ['it says nothing', 'sha256=', BODY, [SECRET]],
  ])('is not where %s', (_, header, body, secrets) => {
    expect(isSignedBody(header, body, secrets)).toBe(false);
  });
});

describe('a token', () => {
  it('is known where it is one of several, whatever their lengths', () => {
    expect(isKnownToken('a-token', ['another', 'a-token'])).toBe(true);
    expect(isKnownToken('a-token', ['a-tokem', 'a-token-2', ''])).toBe(false);
    expect(isKnownToken('a-token', [])).toBe(false);
  });
});
