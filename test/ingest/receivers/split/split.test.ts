import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOf } from '../../../../schemas/envelope.ts';
import { PipelineError } from '../../../../schemas/errors.ts';
import { mutatedBodies } from '../mutations.ts';
import { envelope, recordedRequests } from '../../../connectors/sources/recorded.ts';
import { MERGED } from './merged.ts';
import { expectSoundParts, keyOfRecord, partsOf, recordsOf, sameBytes } from './parts.ts';

const CASES = Number(process.env['AFFIDAVIT_FUZZ_CASES'] ?? 200);

describe('splitBySession of what a client sent', () => {
  it.each(recordedRequests().map((one) => [one.name, one.envelope] as const))(
    'keys every item of %s as the session of its record',
    (_, whole) => {
      const parts = partsOf(whole);
      expectSoundParts(whole, parts);
      expect(parts.map(keyOf)).toEqual([
        ...new Set(recordsOf(whole).map((one) => keyOfRecord(one, whole.source))),
      ]);
    },
  );
});

describe('splitBySession of bodies of several sessions', () => {
  it.each(MERGED.map((one) => [one.name, one.envelope] as const))(
    'gives each session a part: %s',
    (_, whole) => {
      const parts = partsOf(whole);
      expectSoundParts(whole, parts);
      expect(parts.map(keyOf)).toEqual([
        ...new Set(recordsOf(whole).map((one) => keyOfRecord(one, whole.source))),
      ]);
      expect(parts.length).toBeGreaterThan(2);
      const of_sha256 = createHash('sha256').update(whole.body).digest('hex');
      expect(parts.map(({ part }) => part)).toEqual(
        parts.map((__, index) => ({ of_sha256, number: index + 1, count: parts.length })),
      );
      expect(new Set(parts.map(({ envelope_id }) => envelope_id)).size).toBe(parts.length);
      // A part is a body like any other: splitting it again changes nothing.
      for (const part of parts) expect(partsOf(part).map((again) => sameBytes(again, part))).toEqual([true]);
    },
  );
});

describe('splitBySession of mutated bodies', () => {
  const bases = MERGED.map(({ envelope: { source, content_type, body } }) => ({
    url: source,
    contentType: content_type,
    body: Buffer.from(body),
  }));

  it(
    `loses, adds and changes no item of ${CASES} of them`,
    () => {
      let split = 0;
      let quarantined = 0;
      fc.assert(
        fc.property(mutatedBodies(bases), ({ url, contentType, body }) => {
          const source = url;
          const whole = envelope(source, body, { content_type: contentType as 'application/json' });
          let parts;
          try {
            parts = partsOf(whole);
          } catch (error) {
            if (!(error instanceof PipelineError)) throw error;
            return;
          }
          if (parts.every(({ item_count }) => item_count === 0)) return;
          expectSoundParts(whole, parts);
          if (parts.length > 1) split += 1;
          if (
            parts.length > 1 &&
            parts.some((part) => recordsOf(part).some(({ type }) => type === 'quarantined'))
          )
            quarantined += 1;
        }),
        { numRuns: CASES },
      );
      expect(split).toBeGreaterThan(CASES / 4);
      expect(quarantined).toBeGreaterThan(0);
    },
    60_000 + CASES * 100,
  );
});
