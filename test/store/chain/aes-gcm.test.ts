import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decrypt, encrypt } from '../../../store/chain/aes-gcm.ts';

/** Test case 16 of the GCM specification (McGrew and Viega), which NIST took over. */
const KEY = Buffer.from('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308', 'hex');
const NONCE = Buffer.from('cafebabefacedbaddecaf888', 'hex');
const BOUND_TO = Buffer.from('feedfacedeadbeeffeedfacedeadbeefabaddad2', 'hex');
const CLEAR = Buffer.from(
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
  'hex',
);
const ENCRYPTED = Buffer.from(
  '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
  'hex',
);

describe('AES-256-GCM', () => {
  it('gives the bytes of a published test case, and opens them', () => {
    expect(encrypt({ key: KEY, nonce: NONCE }, BOUND_TO, CLEAR)).toEqual(ENCRYPTED);
    expect(decrypt({ key: KEY, nonce: NONCE }, BOUND_TO, ENCRYPTED)).toEqual(CLEAR);
  });

  it('opens nothing under another key, nonce, text or byte', () => {
    const good = { key: KEY, nonce: NONCE };
    expect(decrypt({ ...good, key: randomBytes(32) }, BOUND_TO, ENCRYPTED)).toBeUndefined();
    expect(decrypt({ ...good, nonce: randomBytes(12) }, BOUND_TO, ENCRYPTED)).toBeUndefined();
    expect(decrypt(good, randomBytes(20), ENCRYPTED)).toBeUndefined();
    for (let place = 0; place < ENCRYPTED.length; place += 1) {
      const changed = Buffer.from(ENCRYPTED);
      changed[place]! ^= 1;
      expect(decrypt(good, BOUND_TO, changed), String(place)).toBeUndefined();
    }
  });

  it('takes no shorter tag and no other nonce than it gives', () => {
    const key = KEY;
    expect(decrypt({ key, nonce: NONCE }, BOUND_TO, ENCRYPTED.subarray(0, 15))).toBeUndefined();
    expect(decrypt({ key, nonce: NONCE }, BOUND_TO, ENCRYPTED.subarray(0, -1))).toBeUndefined();
    expect(decrypt({ key, nonce: randomBytes(16) }, BOUND_TO, ENCRYPTED)).toBeUndefined();
  });
});
