import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkpointText, openCheckpoint, parseCheckpoint } from '../../../store/chain/checkpoint.ts';
import {
  formatNote,
  formatVkey,
  parseNote,
  parseVkey,
  verifierKey,
  verifyNote,
} from '../../../store/chain/note.ts';
import { formatTlogProof, parseTlogProof } from '../../../store/chain/tlog-proof.ts';
import { inclusionProof, leafHash, rootOf } from '../../../store/chain/merkle.ts';
import { verifyWithSigstore } from '../../support/sigstore.ts';

/** The example of the Go documentation of signed notes. */
const PETER_VKEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const PETER_NOTE =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
  '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';

const ORIGIN = 'log.example/affidavit/p0';
const pair = generateKeyPairSync('ed25519');
const rawKey = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
const key = verifierKey(ORIGIN, rawKey);

function signed(text: string): string {
  const signature = sign(null, Buffer.from(text), pair.privateKey);
  return formatNote(text, [{ name: key.name, keyId: key.keyId, signature }]);
}

describe('a signed note', () => {
  it('of another implementation verifies', () => {
    const peter = parseVkey(PETER_VKEY)!;
    expect(peter.keyId).toBe('c74f20a3');
    expect(formatVkey(peter)).toBe(PETER_VKEY);
    expect(verifyNote(PETER_NOTE, peter)).toContain('your problem is.\n');
  });

  it('is refused with any one byte changed', () => {
    const note = Buffer.from(signed('one\ntwo\n'));
    for (let at = 0; at < note.length; at += 1) {
      const changed = Buffer.from(note);
      changed[at]! ^= 0x01;
      expect(verifyNote(changed.toString('utf8'), key), `byte ${at}`).toBeUndefined();
    }
  });

  it('with a bad signature of a known key is refused even beside a good one', () => {
    const good = parseNote(signed('text\n'))!.signatures[0]!;
    const bad = { ...good, signature: Buffer.alloc(64) };
    expect(verifyNote(formatNote('text\n', [good, bad]), key)).toBeUndefined();
    const stranger = { name: 'witness.example', keyId: '00000000', signature: Buffer.alloc(64) };
    expect(verifyNote(formatNote('text\n', [stranger, good]), key)).toBe('text\n');
  });

  it('round-trips through its text form', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^([a-z ]{1,9}\n){1,4}$/), (text) => {
        expect(verifyNote(signed(text), key)).toBe(text);
      }),
    );
  });

  it.each([
    ['no blank line', 'text\n'],
    ['no final newline', signed('text\n').slice(0, -1)],
    ['a control character', signed('te\u0007xt\n')],
    ['no signature line', 'text\n\n'],
    ['a hyphen for the dash', signed('text\n').replace('\u2014', '-')],
  ])('with %s is not a note', (_, note) => {
    expect(verifyNote(note, key)).toBeUndefined();
  });

  it.each([
    ['a key id that is not the key', PETER_VKEY.replace('c74f20a3', 'c74f20a4')],
    ['another key type', `x+00000000+${Buffer.alloc(33, 2).toString('base64')}`],
    ['a short key', `x+00000000+${Buffer.alloc(12, 1).toString('base64')}`],
    ['no name', '+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
  ])('key with %s is refused', (_, vkey) => {
    expect(parseVkey(vkey)).toBeUndefined();
  });
});

describe('a checkpoint', () => {
  const root_hash = Buffer.from(rootOf([leafHash(Buffer.from('a'))])).toString('hex');

  it('is three lines: origin, decimal size, base64 root', () => {
    const text = checkpointText({ origin: ORIGIN, tree_size: 1, root_hash });
    expect(text).toBe(`${ORIGIN}\n1\n${Buffer.from(root_hash, 'hex').toString('base64')}\n`);
    expect(parseCheckpoint(text)).toEqual({ origin: ORIGIN, tree_size: 1, root_hash });
  });

  it.each([
    ['a padded size', `${ORIGIN}\n01\n${Buffer.alloc(32).toString('base64')}\n`],
    ['an extension line', `${ORIGIN}\n1\n${Buffer.alloc(32).toString('base64')}\nmore\n`],
    ['a short root', `${ORIGIN}\n1\nAAAA\n`],
    ['a loose base64', `${ORIGIN}\n1\n${Buffer.alloc(32).toString('base64').replace('=', '')}\n`],
    ['a size beyond 2^53', `${ORIGIN}\n99999999999999999\n${Buffer.alloc(32).toString('base64')}\n`],
  ])('with %s is refused', (_, text) => {
    expect(parseCheckpoint(text)).toBeUndefined();
  });

  it('signed by the key of another log is refused', () => {
    const note = signed(checkpointText({ origin: 'other.example/log', tree_size: 1, root_hash }));
    expect(openCheckpoint(note, key)).toBeUndefined();
  });
});

describe('checkpoint and inclusion proof', () => {
  const bodies = Array.from({ length: 1000 }, (_, index) => Buffer.from(`leaf ${index}`));
  const hashes = bodies.map(leafHash);
  const note = signed(
    checkpointText({
      origin: ORIGIN,
      tree_size: 1000,
      root_hash: Buffer.from(rootOf(hashes)).toString('hex'),
    }),
  );

  it.each([0, 1, 499, 511, 512, 998, 999])('of leaf %i are accepted by @sigstore/verify', (index) => {
    const proof = {
      vkey: formatVkey(key),
      note,
      leaf: bodies[index]!,
      index,
      path: inclusionProof(index, hashes),
    };
    expect(verifyWithSigstore(proof).logSize).toBe(1000n);
    expect(() => verifyWithSigstore({ ...proof, leaf: Buffer.from('another') })).toThrow('root hash');
    expect(() => verifyWithSigstore({ ...proof, note: note.replace('1000', '1001') })).toThrow('signature');
  });

  it('fit into one tlog-proof text and come back', () => {
    const path = inclusionProof(73, hashes);
    const text = formatTlogProof({ index: 73, path, checkpoint: note });
    expect(text.startsWith('c2sp.org/tlog-proof@v1\nindex 73\n')).toBe(true);
    expect(parseTlogProof(text)).toEqual({ index: 73, path, checkpoint: note });
    expect(parseTlogProof(text.replace('index 73', 'index 073'))).toBeUndefined();
  });
});
