/** The text of a log file, inflated if it is gzipped, and the mark of how far it was read. */
import { createHash } from 'node:crypto';
import { createGunzip } from 'node:zlib';
import { PipelineError } from '../../schemas/errors.ts';

export type Pieces = AsyncIterable<Buffer>;

/** RFC 1952 section 2.3.1. */
const GZIP_MAGIC = Buffer.of(0x1f, 0x8b);

/** Decided by the first two bytes, or by the name if the file is shorter. */
export async function isGzip(name: string, stored: Pieces): Promise<boolean> {
  for await (const piece of stored) {
    if (piece.length >= GZIP_MAGIC.length) return piece.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC);
    break;
  }
  return name.endsWith('.gz');
}

/** Throws BODY_MALFORMED for text that is not gzip, is cut short, or has bytes behind its end. */
export async function* inflate(stored: Pieces): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  let storedBytes = 0;
  const feeding = feed(stored, gunzip, (count) => (storedBytes += count));
  // The loop below throws this failure, because it destroys the stream.
  feeding.catch(() => undefined);
  try {
    for await (const piece of gunzip as AsyncIterable<Buffer>) yield piece;
  } catch (error) {
    if (!isOfZlib(error)) throw error;
    throw new PipelineError('BODY_MALFORMED', 'the gzip data is broken or cut short', { cause: error });
  } finally {
    gunzip.destroy();
  }
  await feeding;
  if (gunzip.bytesWritten !== storedBytes || storedBytes === 0) {
    throw new PipelineError('BODY_MALFORMED', 'the gzip data has bytes behind its end, or is empty');
  }
}

async function feed(
  stored: Pieces,
  gunzip: ReturnType<typeof createGunzip>,
  onBytes: (count: number) => void,
): Promise<void> {
  try {
    for await (const piece of stored) {
      if (gunzip.destroyed) return;
      onBytes(piece.length);
      if (!gunzip.write(piece)) await drained(gunzip);
    }
    gunzip.end();
  } catch (error) {
    gunzip.destroy(error instanceof Error ? error : new Error('reading ended'));
    throw error;
  }
}

function drained(gunzip: ReturnType<typeof createGunzip>): Promise<void> {
  return new Promise((resolve) => {
    gunzip.once('drain', resolve).once('close', resolve);
  });
}

function isOfZlib(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}

/** How far a text was read, and the digest of the text up to there. */
export interface Mark {
  readonly bytes: number;
  /** SHA-256 of these bytes, in hex. */
  readonly sha256: string;
}

export interface PrefixDigest {
  /** Adds the next bytes; keeps them until a mark has passed them. */
  add(piece: Buffer): void;
  /** The mark at a place that is not before the last mark and not behind the added bytes. */
  markAt(bytes: number): Mark;
}

export function createPrefixDigest(): PrefixDigest {
  const hash = createHash('sha256');
  const waiting: Buffer[] = [];
  let done = 0;
  return {
    add: (piece) => void waiting.push(piece),
    markAt: (bytes) => {
      while (done < bytes) {
        const piece = waiting.shift();
        if (piece === undefined) throw new Error('a mark behind what was read');
        const taken = piece.subarray(0, bytes - done);
        hash.update(taken);
        done += taken.length;
        if (taken.length < piece.length) waiting.unshift(piece.subarray(taken.length));
      }
      return { bytes: done, sha256: hash.copy().digest('hex') };
    },
  };
}

/**
 * The furthest mark whose digest the text matches: the text before it was read already, under this name or another.
 * Reads to the furthest mark, or with `toEnd` to the end of the text, which finds a broken file.
 */
export async function findMark(
  text: Pieces,
  marks: readonly Mark[],
  toEnd: boolean,
): Promise<Mark | undefined> {
  const digest = createPrefixDigest();
  const open = [...marks].filter(({ bytes }) => bytes > 0).sort((a, b) => a.bytes - b.bytes);
  let found: Mark | undefined;
  let read = 0;
  for await (const piece of text) {
    if (open.length === 0 && !toEnd) break;
    read += piece.length;
    if (open.length > 0) digest.add(piece);
    for (let next = open[0]; next !== undefined && next.bytes <= read; next = open[0]) {
      if (digest.markAt(next.bytes).sha256 === next.sha256) found = next;
      open.shift();
    }
  }
  return found;
}
