import { describe, expect, it } from 'vitest';
import { createTally } from './tally.ts';

const GOOD = { acked: 9, sealed: 9, lost: 0, twice: 0, forks: 0, false_alarms: 0 };

describe('the tally of rounds', () => {
  it('is well where nothing is wrong, whatever strikes other than a bad partition hold up', () => {
    const tally = createTally();
    tally.note({ strikes: ['broker killed'], stallMs: 40_000 });
    tally.note({ strikes: ['stranger'], stallMs: 5_500, calmStallMs: 1_000, bad: { isParked: true } });
    expect(tally.isWell(GOOD)).toBe(true);
    expect(tally.describe('acked=9')).toBe(
      'broker killed: 1 times, longest stall 40.0 s\nstranger: 1 times, longest stall 5.5 s\n' +
        'acked=9 parked_as_intended=1/1 longest_stall_beside_a_bad_partition_s=5.5 because_of_it_s=4.5\n',
    );
  });

  it.each(['lost', 'twice', 'forks', 'false_alarms'] as const)('is not well where %s is not 0', (name) => {
    expect(createTally().isWell({ ...GOOD, [name]: 1 })).toBe(false);
  });

  it('is not well where a bad partition was not parked, or held up a healthy one', () => {
    const unparked = createTally();
    unparked.note({ strikes: ['stranger'], stallMs: 0, calmStallMs: 0, bad: { isParked: false } });
    expect(unparked.isWell(GOOD)).toBe(false);
    const heldUp = createTally();
    heldUp.note({ strikes: ['stranger'], stallMs: 6_500, calmStallMs: 1_000, bad: { isParked: true } });
    expect(heldUp.isWell(GOOD)).toBe(false);
  });
});
