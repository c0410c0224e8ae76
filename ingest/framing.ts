/** The stored form of an envelope in an event log. */
import { crc32 } from 'node:zlib';
import { isOwnInstant } from '../schemas/clock.ts';
import { EnvelopeHeader, type Envelope } from '../schemas/envelope.ts';
import { PipelineError } from '../schemas/errors.ts';
import { compileValidator } from '../schemas/validate.ts';

/*
 * One stored envelope. Integers are big endian.
 *
 *   version 1, without a writer         version 2, with the number that its writer gave it
 *   0      1                            0        2
 *   1-4    CRC-32 of bytes 5 to end     1-4      CRC-32 of bytes 5 to end
 *   5-8    length of the header         5-36     MAC, see `frame-key.ts`
 *   9-     header, body                 37-52    id of the writer
 *                                       53-60    number of the frame
 *                                       61-68    first number that is declared abandoned; else the number of the frame
 *                                       69-100   MAC of the frame with the number before
 *                                       101-104  length of the header
 *                                       105-     header, body
 *
 * The header is JSON in UTF-8; the body is the body's own bytes to the end. Not every medium checks the bytes that it
 * returns: LMDB keeps no checksums, and kafkajs compares none. These bytes are about to be sealed for good, so a damaged
 * block must stop the reader instead of becoming evidence.
 */
const CHECKSUM_AT = 1;
const CHECKED_FROM = 5;
const LENGTH_BYTES = 4;

/** Places in a frame of version 2. */
export const NUMBERED = {
  version: 2,
  mac: 5,
  /** The MAC covers everything from here on. */
  writer: 37,
  number: 53,
  abandonedFrom: 61,
  previousMac: 69,
  length: 101,
} as const;

const PLAIN = { version: 1, length: 5 } as const;

const checkHeader = compileValidator(EnvelopeHeader);

/** Bytes of an envelope as an event log without a key stores it. */
export function encodeEnvelope(envelope: Envelope): Buffer {
  const frame = encode(envelope, PLAIN);
  writeChecksum(frame);
  return frame;
}

/** A frame of version 2 that a `FrameWriter` still has to number. */
export function encodeForWriter(envelope: Envelope): Buffer {
  return encode(envelope, NUMBERED);
}

export function writeChecksum(frame: Buffer): void {
  frame.writeUInt32BE(crc32(frame.subarray(CHECKED_FROM)), CHECKSUM_AT);
}

export function isNumbered(frame: Buffer): boolean {
  return frame[0] === NUMBERED.version;
}

type Layout = typeof PLAIN | typeof NUMBERED;

function encode({ body, ...header }: Envelope, { version, length }: Layout): Buffer {
  const headerText = JSON.stringify(header satisfies EnvelopeHeader);
  const headerLength = Buffer.byteLength(headerText);
  const headerAt = length + LENGTH_BYTES;
  const frame = Buffer.allocUnsafe(headerAt + headerLength + body.byteLength);
  frame[0] = version;
  frame.writeUInt32BE(headerLength, length);
  frame.write(headerText, headerAt);
  frame.set(body, headerAt + headerLength);
  return frame;
}

/**
 * The envelope of a frame of either version; `body` is a view of `frame`. Compares no MAC. Throws LOG_DAMAGED for bytes
 * that no encoder wrote, and for a header that is not of its schema: what a header says is sealed for good. The detail
 * quotes nothing of the frame.
 */
export function decodeEnvelope(frame: Buffer, offset: bigint): Envelope {
  requireWhole(frame, offset);
  const lengthAt = layoutOf(frame).length;
  const headerAt = lengthAt + LENGTH_BYTES;
  const bodyAt = headerAt + frame.readUInt32BE(lengthAt);
  if (bodyAt > frame.length) throw damaged(offset, 'header passes the end');
  return { ...readHeader(frame.toString('utf8', headerAt, bodyAt), offset), body: frame.subarray(bodyAt) };
}

/** Throws LOG_DAMAGED unless the frame has a known version and its checksum fits. */
export function requireWhole(frame: Buffer, offset: bigint): void {
  const { version, length } = layoutOf(frame);
  if (frame[0] !== version || frame.length < length + LENGTH_BYTES) {
    throw damaged(offset, 'unknown frame version');
  }
  if (frame.readUInt32BE(CHECKSUM_AT) !== crc32(frame.subarray(CHECKED_FROM))) {
    throw damaged(offset, 'checksum does not match');
  }
}

function layoutOf(frame: Buffer): Layout {
  return isNumbered(frame) ? NUMBERED : PLAIN;
}

function readHeader(text: string, offset: bigint): EnvelopeHeader {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw damaged(offset, 'header is not JSON');
  }
  const checked = checkHeader(parsed);
  if (!checked.ok) {
    const member = checked.problems[0]?.pointer.split('/')[1] ?? '';
    // A name that the schema does not have is text of the frame.
    const place = member in EnvelopeHeader.properties ? `: /${member}` : '';
    throw damaged(offset, `header is not of its schema${place}`);
  }
  if (!isOwnInstant(checked.value.received_at))
    throw damaged(offset, 'header is not of its schema: /received_at');
  return checked.value;
}

/** Collector id of a frame, for counters only: '' where it does not read. Never throws. */
export function collectorOf(frame: Buffer): string {
  try {
    const lengthAt = layoutOf(frame).length;
    const headerAt = lengthAt + LENGTH_BYTES;
    const header = frame.toString('utf8', headerAt, headerAt + frame.readUInt32BE(lengthAt));
    const { principal } = JSON.parse(header) as { readonly principal?: unknown };
    return typeof principal === 'string' ? principal : '';
  } catch {
    return '';
  }
}

/** The error of an entry that must not be sealed. */
export function damaged(offset: bigint, what: string): PipelineError {
  return new PipelineError('LOG_DAMAGED', `event log entry: ${what}`, {
    place: `offset ${offset.toString()}`,
  });
}
