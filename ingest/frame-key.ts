/** The key of the event log: what receivers and sequencers share, so that nobody else can write an entry. */
import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { NUMBERED } from './framing.ts';

export interface FrameKey {
  readonly secret: KeyObject;
  /** Names the key without revealing it, hex. */
  readonly sha256: string;
}

/** So that the digest of the key is not a digest that anything else computes from it. */
const DIGEST_DOMAIN = 'affidavit event log key v1\0';
/** So that a MAC of a frame is not a MAC of anything else. */
const MAC_DOMAIN = 'affidavit event log frame v2\0';

export function toFrameKey(bytes: Uint8Array): FrameKey {
  return {
    secret: createSecretKey(bytes),
    sha256: createHash('sha256').update(DIGEST_DOMAIN).update(bytes).digest('hex'),
  };
}

/** The log and the partition that a frame belongs to. */
export interface FramePlace {
  /** '' where the medium gives no id. */
  readonly logId: string;
  readonly partition: number;
}

export type ComputeMac = (frame: Buffer) => Buffer;

/**
 * HMAC-SHA-256 over the domain, the id of the log with its length, the partition, and the frame from its writer on. Each
 * part has a fixed length or says it, so no two frames give the same text.
 */
export function macOf({ secret }: FrameKey, { logId, partition }: FramePlace): ComputeMac {
  const id = Buffer.from(logId);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(id.length, 0);
  numbers.writeUInt32BE(partition, 4);
  const context = Buffer.concat([Buffer.from(MAC_DOMAIN), numbers, id]);
  return (frame) =>
    createHmac('sha256', secret).update(context).update(frame.subarray(NUMBERED.writer)).digest();
}
