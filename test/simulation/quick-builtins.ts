/**
 * Makes the dear and the unforeseeable parts of a run cheap and plain, in this process alone. To be imported before the
 * code under test: gzip answers at once instead of from a thread, and the signatures of the simulated log are keyed
 * digests instead of Ed25519. The formats stay what they are: gunzip reads the one, only the key holder makes the other.
 */
import crypto, { hash } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';

/** What stands for the public key of the simulated log; no real key has these bytes. */
export const SIMULATED_PUBLIC_KEY = Buffer.alloc(32, 'simulated log ');
const SECRET = Buffer.from('secret of the simulated log\n');
const GZIP_HEAD = Buffer.from('1f8b08000000000000ff', 'hex');
const FRAME_BYTES = 5;
const TAIL_BYTES = 8;
const STORED_BLOCK_MAX_BYTES = 0xffff;

const simulatedKey = Object.freeze({ isSimulated: true });
const realCreatePublicKey = crypto.createPublicKey;
const realVerify = crypto.verify;
const realGzip = zlib.gzip;
const realGunzipSync = zlib.gunzipSync;

/** 64 bytes, as many as an Ed25519 signature has. */
export function signQuickly(message: Uint8Array): Buffer {
  return hash('sha512', Buffer.concat([SECRET, message]), 'buffer');
}

/** One stored block: valid gzip that costs a checksum. */
function storeAsGzip(bytes: Uint8Array): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES);
  frame[0] = 1;
  frame.writeUInt16LE(bytes.length, 1);
  frame.writeUInt16LE(~bytes.length & STORED_BLOCK_MAX_BYTES, 3);
  const tail = Buffer.alloc(TAIL_BYTES);
  tail.writeUInt32LE(crc32(bytes), 0);
  tail.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([GZIP_HEAD, frame, bytes, tail]);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}

type GzipCallback = (error: Error | null, bytes: Buffer) => void;

function gzip(bytes: Uint8Array, options: object, callback: GzipCallback): void {
  if (bytes.length <= STORED_BLOCK_MAX_BYTES) callback(null, storeAsGzip(bytes));
  else realGzip(bytes, options, callback);
}

function gunzipSync(bytes: Uint8Array, options: object): Uint8Array {
  const isStored = Buffer.compare(bytes.subarray(0, GZIP_HEAD.length), GZIP_HEAD) === 0;
  return isStored
    ? bytes.subarray(GZIP_HEAD.length + FRAME_BYTES, -TAIL_BYTES)
    : realGunzipSync(bytes, options);
}

function createPublicKey(input: crypto.PublicKeyInput): unknown {
  const isSimulated = Buffer.isBuffer(input.key) && input.key.subarray(-32).equals(SIMULATED_PUBLIC_KEY);
  return isSimulated ? simulatedKey : realCreatePublicKey(input);
}

function verify(algorithm: null, message: Buffer, key: crypto.KeyObject, signature: Buffer): boolean {
  if ((key as unknown) !== simulatedKey) return realVerify(algorithm, message, key, signature);
  return signQuickly(message).equals(signature);
}

Object.assign(zlib, { gzip, gunzipSync });
Object.assign(crypto, { createPublicKey, verify });
syncBuiltinESMExports();

/**
 * Runs `work` with a monotonic clock that stands still, so that no code under test is interrupted because of how long it
 * took, and without the traces of errors, of which a run makes many.
 */
export async function withoutTime<T>(work: () => Promise<T>): Promise<T> {
  const now = performance.now.bind(performance);
  const { stackTraceLimit } = Error;
  performance.now = () => 0;
  Error.stackTraceLimit = 0;
  try {
    return await work();
  } finally {
    performance.now = now;
    Error.stackTraceLimit = stackTraceLimit;
  }
}
