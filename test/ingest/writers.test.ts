import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoggedEnvelope } from '../../ingest/event-log.ts';
import { createFrameReader } from '../../ingest/frame-reader.ts';
import { FrameWriter } from '../../ingest/frame-writer.ts';
import { encodeForWriter } from '../../ingest/framing.ts';
import { followWriters, KEPT_WRITERS, MAX_WRITERS, type Followed } from '../../ingest/writers.ts';
import type { WriterHeads } from '../../schemas/bundle.ts';
import { envelopeOf } from '../contract/envelope.ts';
import { FRAME_KEY, NUMBERING } from '../support/numbering.ts';

const PLACE = { logId: 'lmdb:a', partition: 0 };
const HOUR_MS = 3_600_000;
const START_MS = Date.parse('2026-01-02T03:04:05.678Z');

interface Append {
  readonly frames: readonly Buffer[];
  readonly isAnswered: boolean;
}

/** Appends `count` frames as one write. */
function append(writer: FrameWriter, count: number, isAnswered = true, atMs = START_MS): Append {
  const turn = writer.begin();
  const frames = Array.from({ length: count }, () =>
    encodeForWriter({ ...envelopeOf('e'), received_at: new Date(atMs).toISOString() }),
  );
  for (const frame of frames) turn.seal(frame);
  if (isAnswered) turn.written();
  else turn.abandoned();
  return { frames, isAnswered };
}

const newWriter = () => new FrameWriter({ ...NUMBERING, place: PLACE });

function read(frames: readonly Buffer[]): LoggedEnvelope[] {
  const reader = createFrameReader({ key: FRAME_KEY, place: PLACE, mayBeUnnumbered: false });
  return frames.map((frame, index) => {
    const entry = reader(frame, BigInt(index));
    if (!('envelope' in entry)) throw new Error(entry.unreadable);
    return { offset: BigInt(index), ...entry };
  });
}

function follow(frames: readonly Buffer[], before?: WriterHeads): Followed {
  return followWriters(before, read(frames), FRAME_KEY.sha256);
}

const numbersOf = ({ gaps }: Followed) => gaps.map(({ reason, first, last }) => [reason, first, last]);

describe('following the writers of an event log', () => {
  it('ends with the last number and MAC of each writer, the one that wrote last at the end', () => {
    const [a, b] = [newWriter(), newWriter()];
    const frames = [append(a, 2), append(b, 1), append(a, 1)].flatMap((one) => one.frames);
    const { heads, gaps } = follow(frames);
    const marks = read(frames).map(({ mark }) => mark!);
    expect(gaps).toEqual([]);
    const received_at = '2026-01-02T03:04:05.678Z';
    expect(heads).toEqual({
      key_sha256: FRAME_KEY.sha256,
      heads: [marks[2]!, marks[3]!].map(({ writer, number, mac }) => ({ writer, number, mac, received_at })),
    });
  });

  it('names the numbers of an entry that was dropped in the middle, once', () => {
    const [one, two, three, four] = append(newWriter(), 4).frames;
    const found = follow([one!, four!]);
    expect(numbersOf(found)).toEqual([['missing', 2, 3]]);
    // The dropped entries come after all: they are late, not missing a second time.
    expect(numbersOf(follow([two!, three!, four!], found.heads))).toEqual([]);
  });

  it('names the first entries of a writer that were dropped', () => {
    const [, two] = append(newWriter(), 2).frames;
    expect(numbersOf(follow([two!]))).toEqual([['missing', 1, 1]]);
  });

  it('names a swap of two entries', () => {
    const [one, two, three] = append(newWriter(), 3).frames;
    expect(numbersOf(follow([one!, three!, two!]))).toEqual([['missing', 2, 2]]);
  });

  it('takes an entry that comes again for a repeat, wherever it comes', () => {
    const [one, two, three] = append(newWriter(), 3).frames;
    const { heads, gaps } = follow([one!, two!, one!, three!, two!, three!]);
    expect(gaps).toEqual([]);
    expect(heads!.heads[0]!.number).toBe(3);
  });

  it('goes on across bundles from the heads that the bundle before has', () => {
    const writer = newWriter();
    const frames = append(writer, 6).frames;
    const before = follow(frames.slice(0, 3)).heads;
    expect(numbersOf(follow(frames.slice(3), before))).toEqual([]);
    expect(numbersOf(follow(frames.slice(4), before))).toEqual([['missing', 4, 4]]);
  });

  it('misses no abandoned number, whether the entry was kept or not', () => {
    for (const isKept of [true, false]) {
      const writer = newWriter();
      const first = append(writer, 1);
      const lost = append(writer, 2, false);
      const next = append(writer, 1);
      const frames = [...first.frames, ...(isKept ? lost.frames : []), ...next.frames];
      expect(numbersOf(follow(frames))).toEqual([]);
    }
  });

  it('names an answered entry that is missing before abandoned ones', () => {
    const writer = newWriter();
    const [one] = append(writer, 2).frames;
    append(writer, 1, false);
    expect(numbersOf(follow([one!, ...append(writer, 1).frames]))).toEqual([['missing', 2, 2]]);
  });

  it('names an entry whose writer wrote another one before than the one that was read', () => {
    const frames = append(newWriter(), 2).frames;
    const before = follow([frames[0]!]).heads!;
    const other = { ...before, heads: [{ ...before.heads[0]!, mac: 'f'.repeat(64) }] };
    expect(numbersOf(follow([frames[1]!], other))).toEqual([['forked', 2, 2]]);
  });

  describe('says since when missing entries may have been received', () => {
    const since = (frames: readonly Buffer[], before?: WriterHeads) =>
      follow(frames, before).gaps.map(({ missing_since }) => Date.parse(missing_since) - START_MS);
    const LATER_MS = START_MS + 30 * HOUR_MS;

    it('since the entry before them', () => {
      const writer = newWriter();
      const before = follow(append(writer, 1).frames).heads;
      append(writer, 2);
      expect(since(append(writer, 1, true, LATER_MS).frames, before)).toEqual([0]);
    });

    it('not after the entry behind them, where a clock stepped back', () => {
      const writer = newWriter();
      const before = follow(append(writer, 1, true, LATER_MS).frames).heads;
      append(writer, 2);
      expect(since(append(writer, 1).frames, before)).toEqual([0]);
    });

    it('a day earlier for each, where no entry before them was read: a writer that is silent for a day is another', () => {
      const writer = newWriter();
      append(writer, 2);
      expect(since(append(writer, 1, true, LATER_MS).frames)).toEqual([(30 - 48) * HOUR_MS]);
    });

    it('a day earlier too, where the entry before is another one than was read', () => {
      const writer = newWriter();
      const before = follow(append(writer, 1).frames).heads!;
      const other = { ...before, heads: [{ ...before.heads[0]!, mac: 'f'.repeat(64) }] };
      const next = append(writer, 1, true, START_MS + HOUR_MS).frames;
      expect(since(next, other)).toEqual([-23 * HOUR_MS]);
    });

    it('and never before 1970, however many there are', () => {
      const frames = append(newWriter(), 30_000).frames.slice(-1);
      expect(since(frames)).toEqual([-START_MS]);
    });
  });

  it('keeps what it knows where no entry has a number', () => {
    const before = follow(append(newWriter(), 1).frames).heads;
    const plain = [{ offset: 0n, envelope: envelopeOf('a') }];
    expect(followWriters(before, plain, FRAME_KEY.sha256)).toEqual({ heads: before, gaps: [] });
    expect(followWriters(undefined, plain, FRAME_KEY.sha256).heads).toBeUndefined();
  });

  it('forgets a writer only when it was silent for days, and never one of the last sixteen', () => {
    const frames = Array.from({ length: 40 }, (_, n) =>
      append(newWriter(), 1, true, START_MS + 12 * n * HOUR_MS),
    ).flatMap((one) => one.frames);
    const days = Array.from({ length: 40 }, (_, n) =>
      append(newWriter(), 1, true, START_MS + n * HOUR_MS),
    ).flatMap((one) => one.frames);
    // Beside the last sixteen those that were silent for no more than 72 hours before the first of the sixteen wrote.
    expect(follow(frames).heads!.heads).toHaveLength(KEPT_WRITERS + 6);
    expect(follow(days).heads!.heads).toHaveLength(40);
    // A clock that is far ahead once makes no other writer look silent.
    const ahead = append(newWriter(), 1, true, START_MS + 1_000 * HOUR_MS).frames;
    expect(follow([...days, ...ahead]).heads!.heads).toHaveLength(41);
  });

  it('bounds the list, however many writers begin within hours', () => {
    const frames = Array.from({ length: MAX_WRITERS + 20 }, () => append(newWriter(), 1)).flatMap(
      (one) => one.frames,
    );
    const { heads } = follow(frames);
    expect(heads!.heads).toHaveLength(MAX_WRITERS);
    expect(heads!.heads.at(-1)).toEqual(follow(frames.slice(-1)).heads!.heads[0]);
  });

  /** Writes of two writers in any order, each answered or not; an unanswered one may have been kept. */
  const history = fc.array(
    fc.record({
      who: fc.integer({ min: 0, max: 1 }),
      count: fc.integer({ min: 1, max: 3 }),
      outcome: fc.constantFrom('answered', 'answered', 'kept', 'lost'),
    }),
    { minLength: 1, maxLength: 12 },
  );
  type History = typeof history extends fc.Arbitrary<infer Value> ? Value : never;

  function write(steps: History) {
    const writers = [newWriter(), newWriter()];
    return steps.flatMap(({ who, count, outcome }) => {
      const { frames } = append(writers[who]!, count, outcome === 'answered');
      return outcome === 'lost'
        ? []
        : frames.map((frame) => ({ frame, isAnswered: outcome === 'answered', who }));
    });
  }

  it('finds nothing in any honest history, in bundles of any size, with repeats', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 5 }), (steps, size) => {
        const entries = write(steps).map(({ frame }) => frame);
        let heads: WriterHeads | undefined;
        for (let from = 0; from < entries.length; from += size) {
          const found = follow(entries.slice(Math.max(0, from - 2), from + size), heads);
          expect(found.gaps).toEqual([]);
          heads = found.heads;
        }
      }),
    );
  });

  it('finds any answered entry that is taken out, once its writer is read again', () => {
    fc.assert(
      fc.property(history, fc.nat(), (steps, pick) => {
        const entries = write(steps);
        const at = pick % Math.max(1, entries.length);
        const taken = entries[at];
        const isReadAgain = entries.slice(at + 1).some(({ who }) => who === taken?.who);
        fc.pre(taken?.isAnswered === true && isReadAgain);
        const { number, abandonedFrom, writer } = read([taken.frame])[0]!.mark!;
        const left = entries.filter((_, index) => index !== at).map(({ frame }) => frame);
        const { gaps } = follow(left);
        // The word that earlier numbers are abandoned is gone with the entry, unless they were kept.
        const [gap] = gaps.filter(({ first, last }) => first <= number && number <= last);
        expect(gap).toMatchObject({ reason: 'missing', writer, last: number });
        expect(gap!.first).toBeGreaterThanOrEqual(abandonedFrom);
        expect(gaps).toHaveLength(1);
      }),
    );
  });
});
