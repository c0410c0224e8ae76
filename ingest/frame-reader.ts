/** Reads the entries of one partition, and proves that a writer of this deployment wrote them to it. */
import { timingSafeEqual } from 'node:crypto';
import type { Envelope } from '../schemas/envelope.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { EntryMark } from './event-log.ts';
import { macOf, type FrameKey, type FramePlace } from './frame-key.ts';
import { damaged, decodeEnvelope, isNumbered, NUMBERED, requireWhole } from './framing.ts';

export interface FrameReaderOptions {
  /** Undefined in a deployment of an older version, whose entries have no numbers. */
  readonly key: FrameKey | undefined;
  readonly place: FramePlace;
  /** Whether entries without a number are taken until the first that has one: an older version wrote them. */
  readonly mayBeUnnumbered: boolean;
}

export interface ReadEntry {
  readonly envelope: Envelope;
  readonly mark?: EntryMark;
}

/** An entry that must not be sealed, and the reason, which quotes nothing of it. */
export interface Unreadable {
  readonly unreadable: string;
}

/**
 * Reads one entry. The caller gives it the entries of a partition in the order of the log. Throws START_REFUSED where an
 * entry has a number and the reader has no key.
 */
export type ReadFrame = (frame: Buffer, offset: bigint) => ReadEntry | Unreadable;

export function createFrameReader({ key, place, mayBeUnnumbered }: FrameReaderOptions): ReadFrame {
  let takesUnnumbered = key === undefined || mayBeUnnumbered;
  const compute = key === undefined ? undefined : macOf(key, place);

  const read = (frame: Buffer, offset: bigint): ReadEntry => {
    requireWhole(frame, offset);
    if (!isNumbered(frame)) {
      if (!takesUnnumbered) throw damaged(offset, 'no writer of this deployment numbered it');
      return { envelope: decodeEnvelope(frame, offset) };
    }
    if (compute === undefined) throw keyMissing(offset);
    const mac = frame.subarray(NUMBERED.mac, NUMBERED.writer);
    if (!timingSafeEqual(compute(frame), mac)) throw damaged(offset, 'MAC does not match');
    takesUnnumbered = false;
    return { envelope: decodeEnvelope(frame, offset), mark: markOf(frame) };
  };
  return (frame, offset) => {
    try {
      return read(frame, offset);
    } catch (error) {
      if (error instanceof PipelineError && error.code === 'LOG_DAMAGED') return { unreadable: error.detail };
      throw error;
    }
  };
}

function keyMissing(offset: bigint): PipelineError {
  return new PipelineError(
    'START_REFUSED',
    `the event log has numbered entries (offset ${String(offset)}), but this deployment has no event log key; restore keys/ from the backup`,
  );
}

function markOf(frame: Buffer): EntryMark {
  return {
    writer: frame.toString('hex', NUMBERED.writer, NUMBERED.number),
    number: Number(frame.readBigUInt64BE(NUMBERED.number)),
    abandonedFrom: Number(frame.readBigUInt64BE(NUMBERED.abandonedFrom)),
    previousMac: frame.toString('hex', NUMBERED.previousMac, NUMBERED.length),
    mac: frame.toString('hex', NUMBERED.mac, NUMBERED.writer),
  };
}
