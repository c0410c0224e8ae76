import { describe, expect, it } from 'vitest';
import { Backpressure } from '../../../ingest/kafka/backpressure.ts';

const load = (collector: string, bytes: number, envelopes = 1) => ({ collector, bytes, envelopes });
const codeOf = (action: () => unknown): unknown => {
  try {
    action();
    return 'admitted';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('the backpressure of the Kafka event log', () => {
  const limits = { maxBacklogEnvelopes: 10, maxBacklogBytes: 10_000, maxInFlightBytes: 1_000 };

  it('counts the envelopes between the acknowledged offset and the end, over all partitions', () => {
    const backpressure = new Backpressure(limits);
    backpressure.learn(0, { end: 7n, done: 3n });
    backpressure.learn(1, { end: 2n, done: 0n });
    backpressure.measure(2, 300);
    expect(backpressure.lag()).toEqual({ envelopes: 6, bytes: 900 });
  });

  it('ignores a report that is older than the last', () => {
    const backpressure = new Backpressure(limits);
    backpressure.learn(0, { end: 7n, done: 5n });
    backpressure.learn(0, { end: 4n, done: -1n });
    expect(backpressure.lag().envelopes).toBe(2);
  });

  it('refuses with LOG_PUSHBACK a load that would pass the backlog together with the loads in flight', () => {
    const backpressure = new Backpressure(limits);
    backpressure.measure(1, 10);
    backpressure.learn(0, { end: 8n, done: 0n });
    const leave = backpressure.admit(load('a', 10));
    backpressure.admit(load('b', 10));
    expect(codeOf(() => backpressure.admit(load('c', 10)))).toBe('LOG_PUSHBACK');
    leave();
    expect(codeOf(() => backpressure.admit(load('c', 10)))).toBe('admitted');
  });

  it('refuses with BODY_TOO_LARGE a load that could not be admitted if nothing waited', () => {
    const backpressure = new Backpressure(limits);
    expect(codeOf(() => backpressure.admit(load('a', 10_001)))).toBe('BODY_TOO_LARGE');
    expect(codeOf(() => backpressure.admit(load('a', 10, 11)))).toBe('BODY_TOO_LARGE');
    expect(codeOf(() => backpressure.admit(load('a', 10_000, 10)))).toBe('admitted');
  });

  it('takes one load beyond the limit of bytes in flight, but only alone', () => {
    const backpressure = new Backpressure(limits);
    const leave = backpressure.admit(load('a', 5_000));
    expect(codeOf(() => backpressure.admit(load('b', 1)))).toBe('LOG_PUSHBACK');
    leave();
    expect(codeOf(() => backpressure.admit(load('b', 1)))).toBe('admitted');
  });

  it('leaves room for others when one collector fills its share', () => {
    const backpressure = new Backpressure({ ...limits, maxPerCollectorPercent: 50 });
    backpressure.admit(load('a', 400));
    expect(codeOf(() => backpressure.admit(load('a', 101)))).toBe('COLLECTOR_PUSHBACK');
    expect(codeOf(() => backpressure.admit(load('b', 101)))).toBe('admitted');
  });
});
