import { createHash } from 'node:crypto';

/** Hex digest of the name followed by the body. */
export function sha256(name: string, body: Buffer | string = ''): string {
  return createHash('sha256').update(name).update(body).digest('hex');
}
