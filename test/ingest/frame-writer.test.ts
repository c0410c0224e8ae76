import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { EntryMark } from '../../ingest/event-log.ts';
import { toFrameKey } from '../../ingest/frame-key.ts';
import { createFrameReader, type FrameReaderOptions } from '../../ingest/frame-reader.ts';
import { FrameWriter, type FrameWriterOptions } from '../../ingest/frame-writer.ts';
import { encodeEnvelope, encodeForWriter } from '../../ingest/framing.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { envelopeOf } from '../contract/envelope.ts';
import { FRAME_KEY, NUMBERING } from '../support/numbering.ts';

const PLACE = { logId: 'lmdb:a', partition: 3 };
const HOUR_MS = 3_600_000;

const writerOf = (changes: Partial<FrameWriterOptions> = {}) =>
  new FrameWriter({ ...NUMBERING, place: PLACE, ...changes });
const readerOf = (changes: Partial<FrameReaderOptions> = {}) =>
  createFrameReader({ key: FRAME_KEY, place: PLACE, mayBeUnnumbered: false, ...changes });

/** Frames of one turn with these names; the turn is written unless `outcome` says otherwise. */
function turn(
  writer: FrameWriter,
  names: readonly string[],
  outcome: 'written' | 'abandoned' = 'written',
): Buffer[] {
  const open = writer.begin();
  const frames = names.map((name) => encodeForWriter(envelopeOf(name)));
  for (const frame of frames) open.seal(frame);
  open[outcome]();
  return frames;
}

function markOf(frame: Buffer): EntryMark {
  const entry = readerOf()(frame, 0n);
  if (!('mark' in entry)) throw new Error(JSON.stringify(entry));
  return entry.mark;
}

function withChecksum(frame: Buffer): Buffer {
  frame.writeUInt32BE(crc32(frame.subarray(5)), 1);
  return frame;
}

describe('the writer of frames', () => {
  it('numbers its frames from 1 on, and each names the MAC of the one before', () => {
    const writer = writerOf();
    const marks = [...turn(writer, ['a', 'b']), ...turn(writer, ['c'])].map(markOf);
    expect(marks.map(({ number, abandonedFrom }) => [number, abandonedFrom])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect(marks.map(({ previousMac }) => previousMac)).toEqual([
      '0'.repeat(64),
      marks[0]!.mac,
      marks[1]!.mac,
    ]);
    expect(new Set(marks.map(({ writer: id }) => id)).size).toBe(1);
    expect(markOf(turn(writerOf(), ['a'])[0]!).writer).not.toBe(marks[0]!.writer);
  });

  it('declares every number abandoned whose outcome it does not know, until a frame is written', () => {
    const writer = writerOf();
    turn(writer, ['a']);
    turn(writer, ['b', 'c'], 'abandoned');
    turn(writer, ['d'], 'abandoned');
    const [first, second] = turn(writer, ['e', 'f']).map(markOf);
    expect([first!.number, first!.abandonedFrom]).toEqual([5, 2]);
    expect([second!.number, second!.abandonedFrom]).toEqual([6, 6]);
    expect(markOf(turn(writer, ['g'])[0]!)).toMatchObject({ number: 7, abandonedFrom: 7 });
  });

  it('does not take a turn without frames for the proof that abandoned frames were written', () => {
    const writer = writerOf();
    turn(writer, ['a'], 'abandoned');
    turn(writer, []);
    expect(markOf(turn(writer, ['b'])[0]!)).toMatchObject({ number: 2, abandonedFrom: 1 });
  });

  it('begins anew under another id after a day of silence', () => {
    let nowMs = 0;
    const writer = writerOf({ monotonicMs: () => nowMs });
    const ids = [0, 23 * HOUR_MS, 46 * HOUR_MS, 71 * HOUR_MS].map((at) => {
      nowMs = at;
      return markOf(turn(writer, ['a'])[0]!);
    });
    expect(ids.map(({ number }) => number)).toEqual([1, 2, 3, 1]);
    expect(ids[3]).toMatchObject({ previousMac: '0'.repeat(64), abandonedFrom: 1 });
    expect(ids[3]!.writer).not.toBe(ids[2]!.writer);
  });
});

describe('the reader of frames', () => {
  it('gives back the envelope', () => {
    const [frame] = turn(writerOf(), ['a']);
    const entry = readerOf()(frame!, 0n);
    expect('envelope' in entry && Buffer.from(entry.envelope.body).toString()).toBe('a');
    expect(entry).toMatchObject({ envelope: { envelope_id: 'a' } });
  });

  it('refuses a frame with any changed byte, though its checksum is made to fit', () => {
    const [frame] = turn(writerOf(), ['a']);
    for (let at = 5; at < frame!.length; at += 1) {
      const edited = Buffer.from(frame!);
      edited[at]! ^= 1;
      expect(readerOf()(withChecksum(edited), 0n), `byte ${at}`).toEqual({
        unreadable: 'event log entry: MAC does not match',
      });
    }
    expect(readerOf()(frame!.subarray(0, 60), 0n)).toHaveProperty('unreadable');
  });

  it.each<[string, Partial<FrameReaderOptions>]>([
    ['another log', { place: { ...PLACE, logId: 'lmdb:b' } }],
    ['another partition', { place: { ...PLACE, partition: 4 } }],
    ['another key', { key: toFrameKey(Buffer.alloc(32, 6)) }],
  ])('refuses a frame of %s', (_name, changes) => {
    const [frame] = turn(writerOf(), ['a']);
    expect(readerOf(changes)(frame!, 0n)).toEqual({ unreadable: 'event log entry: MAC does not match' });
  });

  it('takes frames without a number until the first that has one, and only where there may be any', () => {
    const plain = encodeEnvelope(envelopeOf('old'));
    const [numbered] = turn(writerOf(), ['new']);
    const forged = { unreadable: 'event log entry: no writer of this deployment numbered it' };
    expect(readerOf()(plain, 0n)).toEqual(forged);
    const read = readerOf({ mayBeUnnumbered: true });
    expect(read(plain, 0n)).toMatchObject({ envelope: { envelope_id: 'old' } });
    // A frame that nobody proves to be of a writer ends nothing.
    const edited = withChecksum(Buffer.concat([numbered!.subarray(0, -1), Buffer.from('x')]));
    expect(read(edited, 1n)).toHaveProperty('unreadable');
    expect(read(plain, 2n)).toHaveProperty('envelope');
    expect(read(numbered!, 3n)).toHaveProperty('mark');
    expect(read(plain, 4n)).toEqual(forged);
  });

  it('refuses to go on without the key where entries have numbers, instead of taking them for dead letters', () => {
    const [numbered] = turn(writerOf(), ['a']);
    const read = readerOf({ key: undefined });
    expect(read(encodeEnvelope(envelopeOf('old')), 0n)).toHaveProperty('envelope');
    expect(() => read(numbered!, 1n)).toThrow(PipelineError);
    expect(() => read(numbered!, 1n)).toThrow(expect.objectContaining({ code: 'START_REFUSED' }));
  });

  it('draws the id of each writer at random', () => {
    const drawn: number[] = [];
    writerOf({
      randomBytes: (count) => {
        drawn.push(count);
        return randomBytes(count);
      },
    });
    expect(drawn).toEqual([16]);
  });
});
