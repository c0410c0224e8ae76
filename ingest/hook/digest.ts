import { createHash } from 'node:crypto';

/** Hex, over the one text and the bytes behind it. */
export function sha256(name: string, body: Buffer | string = ''): string {
  return createHash('sha256').update(name).update(body).digest('hex');
}
