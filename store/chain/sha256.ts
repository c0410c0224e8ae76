/**
 * SHA-256 of short inputs, and HMAC over it. The cost of such a hash in Node is mostly the call: one call with all bytes
 * side by side that returns a string takes a third of the time of a hash object. Pure; node:crypto only.
 */
import { hash } from 'node:crypto';

/** Scratch where the parts of an input are put side by side. A longer input gets a new buffer. */
const SCRATCH = Buffer.alloc(64 * 1024);
/** FIPS 198-1: block size of SHA-256, and the two pads. */
const BLOCK_BYTES = 64;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
/** Scratch for the outer block and the inner digest behind it. */
const OUTER = Buffer.alloc(BLOCK_BYTES + 32);

/** Digest of the concatenation; `binary` is one character a byte. */
export function sha256(encoding: 'hex' | 'binary' | 'base64url', ...parts: readonly Uint8Array[]): string {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = roomFor(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return hash('sha256', bytes, encoding);
}

/**
 * FIPS 198-1: SHA-256(key ^ outer pad || SHA-256(key ^ inner pad || message)). By hand because of the call again: over
 * 400 bytes it takes 1.6 µs, `createHmac` 2.3 µs (Node 20), and every record needs two or more of them.
 */
export function hmacSha256(encoding: 'hex' | 'base64url', key: Uint8Array, message: Uint8Array): string {
  if (key.length > BLOCK_BYTES) throw new RangeError('the key is longer than one block');
  const inner = roomFor(BLOCK_BYTES + message.length);
  putBlock(inner, key, INNER_PAD);
  inner.set(message, BLOCK_BYTES);
  putBlock(OUTER, key, OUTER_PAD);
  OUTER.write(hash('sha256', inner, 'binary'), BLOCK_BYTES, 'latin1');
  return hash('sha256', OUTER, encoding);
}

function roomFor(length: number): Buffer {
  return length <= SCRATCH.length ? SCRATCH.subarray(0, length) : Buffer.allocUnsafe(length);
}

function putBlock(bytes: Buffer, key: Uint8Array, pad: number): void {
  bytes.fill(pad, key.length, BLOCK_BYTES);
  for (let offset = 0; offset < key.length; offset += 1) bytes[offset] = (key[offset] ?? 0) ^ pad;
}
