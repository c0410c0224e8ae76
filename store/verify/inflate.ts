/** Gzipped lines of an archive object as a stream: a block of lines at a time in memory, however large the object. */
import { createGunzip } from 'node:zlib';
import { MAX_INFLATED_BYTES } from '../chain/bundle.ts';

/** So large that a block costs little besides its lines, so small that some of them are no memory. */
const CHUNK_BYTES = 256 * 1024;
/** No line of the formats comes near; a longer one is refused before it fills the memory. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;
/** Room for a block that waits while the caller looks at the one before. */
const INFLATING = { chunkSize: CHUNK_BYTES, readableHighWaterMark: 2 * CHUNK_BYTES };
const NEWLINE = 0x0a;

/**
 * Blocks of whole lines, each ended by a newline. Inflates the next block while the caller looks at one. Throws
 * RangeError or a zlib error for bytes that are not gzip of lines, at the place where it shows.
 */
async function* inflatedBlocks(gzipped: Uint8Array): AsyncGenerator<Buffer> {
  const inflate = createGunzip(INFLATING);
  inflate.end(gzipped);
  let rest: Buffer[] = [];
  let restBytes = 0;
  let totalBytes = 0;
  for await (const chunk of inflate as AsyncIterable<Buffer>) {
    totalBytes += chunk.length;
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      yield Buffer.concat([...rest, chunk.subarray(0, end)]);
      rest = [];
      restBytes = 0;
    }
    rest.push(chunk.subarray(end));
    restBytes += chunk.length - end;
    if (totalBytes > MAX_INFLATED_BYTES || restBytes > MAX_LINE_BYTES)
      throw new RangeError('it inflates too far');
  }
  if (restBytes > 0 || totalBytes === 0) throw new RangeError('the last line has no newline');
}

/**
 * Calls `visit` with each line, without its newline. The bytes of a line are good during its call. Rejects as
 * `inflatedBlocks` throws, and with what `visit` throws.
 */
export async function visitLines(gzipped: Uint8Array, visit: (line: Buffer) => void): Promise<void> {
  for await (const block of inflatedBlocks(gzipped)) {
    let start = 0;
    while (start < block.length) {
      const end = block.indexOf(NEWLINE, start);
      visit(block.subarray(start, end));
      start = end + 1;
    }
  }
}
