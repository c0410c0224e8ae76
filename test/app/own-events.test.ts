import { describe, expect, it } from 'vitest';
import { createOwnEvents, keyAroundParked } from '../../app/own-events.ts';
import type { PartitionState } from '../../app/partitions.ts';
import { partitionOf } from '../../ingest/kafka/partition-of.ts';
import { keyOf, type Envelope } from '../../schemas/envelope.ts';
import { createTestLogger } from '../support/log-lines.ts';

const COUNT = 6;
const USUAL = partitionOf(keyOf({ source: 'native' }), COUNT);
const stateOf = (partition: number, state: PartitionState['state']): PartitionState => ({
  partition,
  log: `p${String(partition)}`,
  state,
});
const others = [0, 1, 2, 3, 4, 5].filter((partition) => partition !== USUAL);

describe('the key of an event of the program', () => {
  it('is the usual one while the usual partition is not parked here', () => {
    expect(keyAroundParked([stateOf(USUAL, 'idle'), stateOf(others[0]!, 'parked')], COUNT)).toBeUndefined();
    expect(keyAroundParked([], COUNT)).toBeUndefined();
  });

  it.each(others)(
    'leads to partition %i where this process seals it and the usual one is parked',
    (healthy) => {
      const key = keyAroundParked([stateOf(USUAL, 'parked'), stateOf(healthy, 'sealing')], COUNT)!;
      expect(partitionOf(key, COUNT)).toBe(healthy);
    },
  );

  it('leads to a partition of another process where all of this process are parked', () => {
    const [second = 0] = others;
    const key = keyAroundParked([stateOf(USUAL, 'parked'), stateOf(second, 'parked')], COUNT)!;
    expect([USUAL, second]).not.toContain(partitionOf(key, COUNT));
  });

  it('is the usual one where every partition is parked: the event waits there', () => {
    expect(keyAroundParked([stateOf(0, 'parked')], 1)).toBeUndefined();
  });
});

it('events that were reported before there was an event log are appended by the key of that moment', () => {
  const appended: Envelope[] = [];
  const system = { clock: () => 0, newId: () => 'id' };
  const ownEvents = createOwnEvents({ logger: createTestLogger().logger, system: system as never });
  ownEvents.report({ type: 'archive.probed' });
  const keys = [undefined, 'program:3'];
  const append = (envelopes: readonly Envelope[]) => Promise.resolve(void appended.push(...envelopes));
  ownEvents.bind({ append }, () => keys.shift());
  ownEvents.report({ type: 'partition.parked' });
  expect(appended.map(keyOf)).toEqual(['source:native', 'program:3']);
});
