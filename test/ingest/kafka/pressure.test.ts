import { describe, expect, it } from 'vitest';
import { createPressure } from '../../../ingest/kafka/pressure.ts';

const load = (collector: string, bytes: number, envelopes = 1) => ({ collector, bytes, envelopes });
const codeOf = (action: () => unknown): unknown => {
  try {
    action();
    return 'admitted';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('the pressure on the Kafka event log', () => {
  const limits = { maxBacklogEnvelopes: 10, maxBacklogBytes: 10_000, maxInFlightBytes: 1_000 };

  it('counts what is between acknowledged and end, over all partitions', () => {
    const pressure = createPressure(limits);
    pressure.learn(0, { end: 7n, done: 3n });
    pressure.learn(1, { end: 2n, done: 0n });
    pressure.measure(2, 300);
    expect(pressure.lag()).toEqual({ envelopes: 6, bytes: 900 });
  });

  it('is not moved by news that is older than what it knows', () => {
    const pressure = createPressure(limits);
    pressure.learn(0, { end: 7n, done: 5n });
    pressure.learn(0, { end: 4n, done: -1n });
    expect(pressure.lag().envelopes).toBe(2);
  });

  it('refuses with LOG_PUSHBACK what would pass the backlog, with what is on its way', () => {
    const pressure = createPressure(limits);
    pressure.measure(1, 10);
    pressure.learn(0, { end: 8n, done: 0n });
    const leave = pressure.admit(load('a', 10));
    pressure.admit(load('b', 10));
    expect(codeOf(() => pressure.admit(load('c', 10)))).toBe('LOG_PUSHBACK');
    leave();
    expect(codeOf(() => pressure.admit(load('c', 10)))).toBe('admitted');
  });

  it('takes one load beyond the limit of bytes in flight, but only alone', () => {
    const pressure = createPressure(limits);
    const leave = pressure.admit(load('a', 5_000));
    expect(codeOf(() => pressure.admit(load('b', 1)))).toBe('LOG_PUSHBACK');
    leave();
    expect(codeOf(() => pressure.admit(load('b', 1)))).toBe('admitted');
  });

  it('leaves room for others when one collector fills its share', () => {
    const pressure = createPressure({ ...limits, maxPerCollectorPercent: 50 });
    pressure.admit(load('a', 400));
    expect(codeOf(() => pressure.admit(load('a', 101)))).toBe('COLLECTOR_PUSHBACK');
    expect(codeOf(() => pressure.admit(load('b', 101)))).toBe('admitted');
  });
});
