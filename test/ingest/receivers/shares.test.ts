import { describe, expect, it } from 'vitest';
import { createReceiverCounters } from '../../../ingest/receivers/counters.ts';
import { createShares } from '../../../ingest/receivers/shares.ts';

const LIMITS = {
  maxInFlightBytes: 100,
  maxInFlightPerCollectorBytes: 60,
  maxRequestsInFlightPerCollector: 3,
  maxRequestsInFlightPerConnection: 2,
};
const pushback = expect.objectContaining({
  code: 'COLLECTOR_PUSHBACK',
  status: 429,
  retry: 'later',
}) as Error;
const full = expect.objectContaining({ code: 'LOG_PUSHBACK', status: 503 }) as Error;

describe('the shares of collectors', () => {
  it('refuse bytes beyond the share of one, while another still has its own', () => {
    const counters = createReceiverCounters();
    const shares = createShares(LIMITS, counters);
    const greedy = shares.enter('greedy', {});
    greedy.take(60);
    expect(() => greedy.take(1)).toThrow(pushback);
    const other = shares.enter('other', {});
    other.take(40);
    expect(() => other.take(1)).toThrow(full);
    greedy.release();
    other.take(1);
    other.release();
    expect(counters.inFlightBytes).toBe(0);
  });

  it('count what is made of taken bytes even beyond the limits, and refuse what comes next', () => {
    const counters = createReceiverCounters();
    const shares = createShares(LIMITS, counters);
    const split = shares.enter('a', {});
    split.take(10);
    split.add(60);
    expect(counters.inFlightBytes).toBe(70);
    const next = shares.enter('a', {});
    expect(() => next.take(1)).toThrow(pushback);
    split.release();
    next.take(60);
    next.release();
    expect(counters.inFlightBytes).toBe(0);
  });

  it('refuse one request too many of a collector, and take it when another has ended', () => {
    const shares = createShares(LIMITS, createReceiverCounters());
    const held = [shares.enter('a', {}), shares.enter('a', {}), shares.enter('a', {})];
    expect(() => shares.enter('a', {})).toThrow(pushback);
    shares.enter('b', {});
    held[0]!.release();
    expect(() => shares.enter('a', {})).not.toThrow();
  });

  it('leave room to those who share a token with a connection that does not wait for answers', () => {
    const shares = createShares(LIMITS, createReceiverCounters());
    const connection = {};
    const first = shares.enter('a', connection);
    shares.enter('a', connection);
    expect(() => shares.enter('a', connection)).toThrow(pushback);
    expect(() => shares.enter('a', {})).not.toThrow();
    first.release();
    expect(() => shares.enter('a', connection)).not.toThrow();
  });
});
