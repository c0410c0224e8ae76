import fc from 'fast-check';
import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { ClaimedInstant, InstantUtc } from '../../schemas/primitives.ts';
import { compileValidator } from '../../schemas/validate.ts';

const isInstant = (text: string) => Value.Check(InstantUtc, text);
/** The engine reads a day or an hour that does not exist as a later one, so it is written back differently. */
const isOfCalendar = (text: string) => {
  const unixMs = Date.parse(text);
  return !Number.isNaN(unixMs) && new Date(unixMs).toISOString().slice(0, 19) === text.slice(0, 19);
};
const digits = (max: number, length = 2) =>
  fc.nat({ max }).map((number) => String(number).padStart(length, '0'));

describe('an instant', () => {
  it('is one exactly where reading it and writing it again gives the same second', () => {
    const text = fc
      .tuple(digits(9999, 4), digits(14), digits(33), digits(25), digits(61), digits(61))
      .map(
        ([year, month, day, hour, minute, second]) => `${year}-${month}-${day}T${hour}:${minute}:${second}Z`,
      );
    fc.assert(
      fc.property(text, (each) => {
        expect(isInstant(each)).toBe(isOfCalendar(each));
      }),
      { numRuns: 2_000 },
    );
  });

  it('may be 29 February in leap years alone', () => {
    for (let year = 0; year <= 9999; year += 1) {
      const text = `${String(year).padStart(4, '0')}-02-29T00:00:00Z`;
      expect(isInstant(text), text).toBe(isOfCalendar(text));
    }
  });

  it.each([
    '2033-02-31T00:00:00Z',
    '2033-04-31T00:00:00Z',
    '2033-01-01T24:00:00Z',
    '2033-01-01T00:60:00Z',
    '2033-01-01T00:00:60Z',
    '2033-00-01T00:00:00Z',
    '2033-01-00T00:00:00Z',
    '2033-01-01T00:00:00',
    '2033-01-01T00:00:00.Z',
    '2033-01-01T00:00:00.0123456789Z',
    '2033-01-01T00:00:00+00:00',
    ' 2033-01-01T00:00:00Z',
    '2033-01-01T00:00:00Z\n',
  ])('is not %j', (text) => {
    expect(isInstant(text)).toBe(false);
    expect(compileValidator(InstantUtc)(text).ok).toBe(false);
  });

  it('that a source claims is kept as it came, though its day may not exist', () => {
    expect(Value.Check(ClaimedInstant, '2033-02-31T24:00:00Z')).toBe(true);
  });
});
