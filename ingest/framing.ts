/** The stored form of an envelope in an event log. */
import { crc32 } from 'node:zlib';
import { isOwnInstant } from '../schemas/clock.ts';
import { EnvelopeHeader, type Envelope } from '../schemas/envelope.ts';
import { PipelineError } from '../schemas/errors.ts';
import { compileValidator } from '../schemas/validate.ts';

/*
 * One stored envelope, version 1:
 *
 *   byte 0       version, 1
 *   bytes 1-4    CRC-32 of everything from byte 5 on, big endian
 *   bytes 5-8    length of the header, big endian
 *   bytes 9-     header as JSON in UTF-8, then the body's own bytes to the end
 *
 * Not every medium checks the bytes that it returns: LMDB keeps no checksums, and kafkajs compares none. These bytes are
 * about to be sealed for good, so a damaged block must stop the reader instead of becoming evidence.
 */
const FRAME_VERSION = 1;
const CHECKSUM_AT = 1;
const LENGTH_AT = 5;
const HEADER_AT = 9;

const checkHeader = compileValidator(EnvelopeHeader);

/** Bytes of an envelope as an event log stores it. */
export function encodeEnvelope(envelope: Envelope): Buffer {
  const { body, ...header } = envelope;
  const headerText = JSON.stringify(header satisfies EnvelopeHeader);
  const headerLength = Buffer.byteLength(headerText);
  const frame = Buffer.allocUnsafe(HEADER_AT + headerLength + body.byteLength);
  frame[0] = FRAME_VERSION;
  frame.writeUInt32BE(headerLength, LENGTH_AT);
  frame.write(headerText, HEADER_AT);
  frame.set(body, HEADER_AT + headerLength);
  frame.writeUInt32BE(crc32(frame.subarray(LENGTH_AT)), CHECKSUM_AT);
  return frame;
}

/**
 * Inverse of `encodeEnvelope`; `body` is a view of `frame`. Throws LOG_DAMAGED for bytes that it did not write, and for a
 * header that is not of its schema: what a header says is sealed for good. The detail quotes nothing of the frame.
 */
export function decodeEnvelope(frame: Buffer, offset: bigint): Envelope {
  if (frame.length < HEADER_AT || frame[0] !== FRAME_VERSION) throw damaged(offset, 'unknown frame version');
  if (frame.readUInt32BE(CHECKSUM_AT) !== crc32(frame.subarray(LENGTH_AT))) {
    throw damaged(offset, 'checksum does not match');
  }
  const bodyAt = HEADER_AT + frame.readUInt32BE(LENGTH_AT);
  if (bodyAt > frame.length) throw damaged(offset, 'header passes the end');
  return { ...readHeader(frame.toString('utf8', HEADER_AT, bodyAt), offset), body: frame.subarray(bodyAt) };
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
    const header = frame.toString('utf8', HEADER_AT, HEADER_AT + frame.readUInt32BE(LENGTH_AT));
    return (JSON.parse(header) as EnvelopeHeader).principal;
  } catch {
    return '';
  }
}

function damaged(offset: bigint, what: string): PipelineError {
  return new PipelineError('LOG_DAMAGED', `event log entry: ${what}`, {
    place: `offset ${offset.toString()}`,
  });
}
