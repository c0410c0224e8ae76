import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { PipelineError } from '../../schemas/errors.ts';

export interface BodyLimits {
  /** Bytes on the wire, as sent. */
  readonly maxBodyBytes: number;
  /** Bytes after decompression. */
  readonly maxInflatedBytes: number;
}

export type ContentEncoding = 'identity' | 'gzip';

/** Called with the size of each piece before the piece is kept; may throw to stop the reading. */
export type OnBytes = (count: number) => void;

/** Media type in lower case without parameters. Throws CONTENT_TYPE_UNSUPPORTED for a charset other than UTF-8. */
export function mediaTypeOf(headers: IncomingHttpHeaders): string {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').split(';');
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=');
    const charset = value.trim().replaceAll('"', '').toLowerCase();
    if (name.trim().toLowerCase() === 'charset' && charset !== 'utf-8' && charset !== 'utf8') {
      throw new PipelineError('CONTENT_TYPE_UNSUPPORTED', 'the charset of a body is UTF-8');
    }
  }
  return type.trim().toLowerCase();
}

export function contentEncodingOf(headers: IncomingHttpHeaders): ContentEncoding {
  const encoding = (headers['content-encoding'] ?? '').trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return 'identity';
  // RFC 9110 section 8.4.1.3: x-gzip is to be taken as gzip.
  if (encoding === 'gzip' || encoding === 'x-gzip') return 'gzip';
  throw new PipelineError('CONTENT_ENCODING_UNSUPPORTED', 'the body has a content encoding other than gzip');
}

/**
 * Reads a request body to its end, inflating on the way and never beyond a limit by more than one piece of 64 KiB.
 *
 * Throws BODY_TOO_LARGE, BODY_INFLATES_TOO_LARGE, or BODY_MALFORMED for gzip that is broken or cut short. After a
 * throw the rest of the request is discarded, so that the sender receives the answer. The request timeout of the
 * server bounds that.
 */
export async function readBody(
  source: Readable,
  headers: IncomingHttpHeaders,
  limits: BodyLimits,
  onBytes: OnBytes,
): Promise<Buffer> {
  const encoding = contentEncodingOf(headers);
  // A missing length gives NaN, which is not beyond any limit. The bytes themselves are counted below.
  if (Number(headers['content-length']) > limits.maxBodyBytes) throw tooLarge(limits);
  if (encoding === 'gzip') return readInflated(source, limits, onBytes);
  try {
    return await collect(source, limits.maxBodyBytes, () => tooLarge(limits), onBytes);
  } catch (error) {
    throw error instanceof PipelineError ? error : cutOff(error);
  }
}

async function readInflated(source: Readable, limits: BodyLimits, onBytes: OnBytes): Promise<Buffer> {
  const gunzip = createGunzip({ chunkSize: 64 * 1024 });
  let wireBytes = 0;
  const countWire = (piece: Buffer): void => {
    wireBytes += piece.length;
    if (wireBytes > limits.maxBodyBytes) gunzip.destroy(tooLarge(limits));
  };
  const onSourceClose = (): void => {
    if (!source.readableEnded) gunzip.destroy(cutOff());
  };
  source.on('data', countWire).on('error', onSourceClose).on('close', onSourceClose);
  source.pipe(gunzip);
  try {
    const body = await collect(gunzip, limits.maxInflatedBytes, () => inflatesTooLarge(limits), onBytes);
    // zlib does not read bytes behind the last member. Such a body is refused, because nothing has judged these
    // bytes.
    if (gunzip.bytesWritten !== wireBytes) throw brokenGzip(undefined);
    return body;
  } catch (error) {
    throw error instanceof PipelineError ? error : brokenGzip(error);
  } finally {
    source.unpipe(gunzip).off('data', countWire).off('close', onSourceClose);
    source.resume();
    gunzip.destroy();
  }
}

/** Listeners instead of `for await`, which would destroy the request, and its socket with it, on an early exit. */
function collect(
  stream: Readable,
  maxBytes: number,
  tooMuch: () => PipelineError,
  onBytes: OnBytes,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const settle = (outcome: () => void): void => {
      stream.off('data', onData).off('end', onEnd).off('close', onClose);
      // The error listener stays, because a socket may fail after its request was judged.
      stream.resume();
      outcome();
    };
    const fail = (error: Error): void => settle(() => reject(error));
    const onData = (piece: Buffer): void => {
      try {
        size += piece.length;
        if (size > maxBytes) throw tooMuch();
        onBytes(piece.length);
        pieces.push(piece);
      } catch (error) {
        fail(error instanceof Error ? error : tooMuch());
      }
    };
    const onEnd = (): void => settle(() => resolve(Buffer.concat(pieces, size)));
    const onClose = (): void => fail(cutOff());
    stream.on('data', onData).on('end', onEnd).on('close', onClose).on('error', fail);
  });
}

function tooLarge(limits: BodyLimits): PipelineError {
  return new PipelineError('BODY_TOO_LARGE', `the body has more than ${limits.maxBodyBytes} bytes`);
}

function inflatesTooLarge(limits: BodyLimits): PipelineError {
  const detail = `the body inflates to more than ${limits.maxInflatedBytes} bytes`;
  return new PipelineError('BODY_INFLATES_TOO_LARGE', detail);
}

function brokenGzip(cause: unknown): PipelineError {
  const detail = 'the gzip data is broken, cut short, or followed by something else';
  return new PipelineError('BODY_MALFORMED', detail, { cause });
}

function cutOff(cause?: unknown): PipelineError {
  return new PipelineError('BODY_MALFORMED', 'the connection ended inside the body', { cause });
}
