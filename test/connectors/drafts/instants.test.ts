import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toUtcInstant } from '../../../connectors/drafts/instants.ts';
import { InstantUtc } from '../../../schemas/primitives.ts';
import { compileValidator } from '../../../schemas/validate.ts';

describe('an instant', () => {
  it.each([
    ['2019-05-15T15:20:33Z', '2019-05-15T15:20:33Z'],
    ['2019-05-15T15:20:33.123456789Z', '2019-05-15T15:20:33.123456789Z'],
    ['2019-05-15T15:20:33+02:00', '2019-05-15T13:20:33Z'],
    ['2019-12-31T23:30:00.5-0130', '2020-01-01T01:00:00.5Z'],
    ['2022-03-31 08:12:49 UTC', '2022-03-31T08:12:49Z'],
  ])('%s is %s', (text, instant) => {
    expect(toUtcInstant(text)).toBe(instant);
  });

  it.each([
    '2019-05-15T15:20:33',
    '2019-02-30T00:00:00Z',
    '2019-05-15T24:00:00Z',
    '2019-05-15',
    '0000-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    '',
    7,
    null,
    undefined,
  ])('is not told from %s', (text) => {
    expect(toUtcInstant(text)).toBeUndefined();
  });

  it('is itself in every way to write it', () => {
    const isInstant = compileValidator(InstantUtc);
    const dates = fc.date({ min: new Date(0), max: new Date('9998-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        const written = date.toISOString();
        expect(toUtcInstant(written)).toBe(written);
        expect(toUtcInstant(written.replace('Z', '+00:00'))).toBe(written);
        expect(isInstant(toUtcInstant(written.replace('T', ' '))).ok).toBe(true);
      }),
    );
  });
});
