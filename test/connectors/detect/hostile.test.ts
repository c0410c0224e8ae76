import { describe, expect, it } from 'vitest';
import { findPersonal } from '../../../connectors/detect/personal.ts';
import { findSecrets, mayHoldSecret } from '../../../connectors/detect/secrets.ts';
import { leastCpuOf } from '../../support/cpu-time.ts';
import { HOSTILE } from './hostile.ts';

const LENGTH = 64 * 1024;
const ATTEMPTS = 6;
/** Twice the text may take twice the time; four times would be quadratic. */
const MOST_GROWTH = 3;
/** Less than this says nothing, because the clock is as coarse. */
const LEAST_MICROSECONDS = 2_000;

const searches: readonly [string, (text: string) => unknown][] = [
  ['secrets', (text) => findSecrets(text)],
  ['secrets under a name', (text) => findSecrets(text, 'password')],
  ['data about people', (text) => findPersonal(text)],
  ['raw bytes', (text) => mayHoldSecret(Buffer.from(text))],
];

describe.each(searches)('the search for %s', (_, search) => {
  it.each(Object.entries(HOSTILE))(
    'takes no more than its share of time for twice as many %s',
    (_name, build) => {
      const once = build(LENGTH);
      const twice = build(2 * LENGTH);
      let growth = Infinity;
      for (let attempt = 0; attempt < ATTEMPTS && growth >= MOST_GROWTH; attempt += 1) {
        growth = Math.min(
          growth,
          leastCpuOf(() => search(twice)) /
            Math.max(
              leastCpuOf(() => search(once)),
              LEAST_MICROSECONDS,
            ),
        );
      }
      expect(growth).toBeLessThan(MOST_GROWTH);
    },
  );
});
