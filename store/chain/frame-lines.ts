/** The lines of a frame before encryption: raw DEFLATE (RFC 1951) with the preset dictionary of the format. Pure. */
import { promisify } from 'node:util';
import { deflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib';
import { MAX_INFLATED_BYTES } from './bundle-bytes.ts';
import { FRAME_DICTIONARY } from './frame-dictionary.ts';

const DEFLATE = { level: 1, dictionary: FRAME_DICTIONARY };
const deflateInPool = promisify(deflateRaw) as (
  bytes: Uint8Array,
  options: typeof DEFLATE,
) => Promise<Buffer>;
/** Below this a round to the thread pool takes longer than the work. */
const MIN_POOLED_BYTES = 16 * 1024;
const NEWLINE = 0x0a;

/** Compresses lines that each end with a newline; a large frame on a thread of the pool. */
export async function deflateLines(lines: Uint8Array): Promise<Buffer> {
  return lines.length < MIN_POOLED_BYTES ? deflateRawSync(lines, DEFLATE) : deflateInPool(lines, DEFLATE);
}

/** Lines of a frame, each ended by a newline. Throws RangeError or a zlib error for bytes that are not such lines alone. */
export function inflateLines(compressed: Uint8Array): Buffer {
  const { buffer, engine } = inflateRawSync(compressed, {
    dictionary: FRAME_DICTIONARY,
    maxOutputLength: MAX_INFLATED_BYTES,
    info: true,
  }) as unknown as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };
  if (engine.bytesWritten !== compressed.length) throw new RangeError('bytes follow the compressed lines');
  if (buffer.at(-1) !== NEWLINE) throw new RangeError('the last line has no newline');
  return buffer;
}
