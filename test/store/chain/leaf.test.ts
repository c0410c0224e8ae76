import { describe, expect, it } from 'vitest';
import { PART_KINDS } from '../../../schemas/bundle.ts';
import { saltThatOpens, sealRecord } from '../../../store/chain/leaf.ts';
import { saltOf } from '../../../store/chain/part.ts';
import { testRecord } from '../../support/ledger.ts';

const SECRETS = {
  facts: Buffer.alloc(32, 'f'),
  person: Buffer.alloc(32, 'p'),
  content: Buffer.alloc(32, 'c'),
};
const INDEX = 7;
const sealed = sealRecord(testRecord(1), { index: INDEX, subject: null, secretOf: (kind) => SECRETS[kind] });
const saltWith = (kind: (typeof PART_KINDS)[number], secret: string) =>
  saltThatOpens(sealed.leaf_text, { index: INDEX, kind, text: sealed[kind]!.text, secret });

describe.each(PART_KINDS)('the salt that opens the %s of a row', (kind) => {
  const secret = SECRETS[kind].toString('base64url');

  it('follows from the secret in its one spelling', () => {
    expect(saltWith(kind, secret)).toBe(saltOf(SECRETS[kind], INDEX, kind));
  });

  it.each([
    ['padding', `${secret}=`],
    ['a newline', `${secret}\n`],
    ['a foreign character', `!${secret}`],
    ['a zero byte more', Buffer.from(`${secret}AA`, 'base64url').toString('base64url')],
    [
      'low bits that no byte holds',
      `${secret.slice(0, -1)}${String.fromCharCode(secret.charCodeAt(42) + 1)}`,
    ],
    ['nothing', ''],
  ])('does not follow from a secret with %s', (_, respelled) => {
    expect(respelled).not.toBe(secret);
    expect(saltWith(kind, respelled)).toBeUndefined();
  });
});
