import canonicalize from 'canonicalize';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { PART_KINDS } from '../../../schemas/bundle.ts';
import { saltThatOpens, sealRecord } from '../../../store/chain/leaf.ts';
import { LineWriter } from '../../../schemas/line-writer.ts';
import { saltOf } from '../../../store/chain/part.ts';
import { testRecord } from '../../support/ledger.ts';
import { FRAME_SECRETS as SECRETS, sealAlone } from '../../support/seal-alone.ts';

const INDEX = 7;
const sealed = sealAlone(testRecord(1), INDEX, null);
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

it('a sealed record leaves the line of each part in its frame, and the line of its leaf among the leaves', () => {
  const record = { ...testRecord(2), person: { claimed_user: 'a@example.com' } };
  const frames = { facts: new LineWriter(), person: new LineWriter(), content: new LineWriter() };
  const leaves = new LineWriter();
  leaves.add('before\n');
  const { leaf, leaf_text, leaf_hash } = sealRecord(record, {
    index: 5,
    subject: null,
    frameOf: (kind) => ({ secret: SECRETS[kind], lines: frames[kind] }),
    leaves,
  });
  expect(leaves.from(0).toString()).toBe(`before\n${leaf_text}\n`);
  expect(leaf_text).toBe(canonicalize(leaf));
  const prefixed = Buffer.concat([Buffer.of(0), Buffer.from(leaf_text)]);
  expect(Buffer.from(leaf_hash).toString('hex')).toBe(createHash('sha256').update(prefixed).digest('hex'));
  for (const kind of PART_KINDS) {
    const part = canonicalize({ index: 5, name: kind, part: record[kind] })!;
    expect(frames[kind].from(0).toString()).toBe(`${part}\n`);
    const salted = canonicalize({
      index: 5,
      name: kind,
      part: record[kind],
      salt: saltOf(SECRETS[kind], 5, kind),
    })!;
    expect(leaf.parts.find(({ name }) => name === kind)?.digest).toBe(
      createHash('sha256').update(salted).digest('base64url'),
    );
  }
});
