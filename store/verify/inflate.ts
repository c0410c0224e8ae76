/** The gzipped lines of an archive object as a stream. Memory holds a block of lines at a time, however large the object. */
import { createGunzip } from 'node:zlib';
import { MAX_INFLATED_BYTES } from '../chain/bundle-bytes.ts';

/** Large enough that a block costs little besides its lines, small enough that a few blocks take little memory. */
const CHUNK_BYTES = 256 * 1024;
/** Lines are far below this. A longer one is refused before it fills the memory. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;
/** Room for one block that waits while the caller reads the one before. */
const INFLATING = { chunkSize: CHUNK_BYTES, readableHighWaterMark: 2 * CHUNK_BYTES };
const NEWLINE = 0x0a;

/**
 * Blocks of whole lines, each ended by a newline. Inflates the next block while the caller reads one. Throws RangeError
 * or a zlib error where the bytes are not gzip of lines, when it reaches the defect.
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
      throw new RangeError('the object inflates too far');
  }
  if (restBytes > 0 || totalBytes === 0) throw new RangeError('the last line has no newline');
}

/**
 * Calls `visit` with each line, without its newline. The bytes of a line are valid during its call only. Rejects where
 * `inflatedBlocks` throws and where `visit` throws.
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
