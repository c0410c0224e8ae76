import { EventEmitter } from 'node:events';
import type { Consumer, ConsumerRunConfig, EachBatchPayload, Kafka } from 'kafkajs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createGroup, type Assignment, type Group, type Reader } from '../../../ingest/kafka/group.ts';
import { silent } from './subject.ts';

const STALLED_AFTER_MS = 10_000;

/** A consumer whose doings are the test's. */
interface Fake {
  readonly events: EventEmitter;
  run: ConsumerRunConfig | undefined;
  isDisconnected: boolean;
}

/** A client whose consumers connect as `connect` does. */
function fakeClient(connect: () => Promise<void> = () => Promise.resolve()): { kafka: Kafka; made: Fake[] } {
  const made: Fake[] = [];
  const consumer = (): Partial<Consumer> => {
    const fake: Fake = { events: new EventEmitter(), run: undefined, isDisconnected: false };
    made.push(fake);
    return {
      events: { GROUP_JOIN: 'join', CRASH: 'crash', REQUEST: 'request' } as unknown as Consumer['events'],
      on: ((name: string, listener: (event: unknown) => void) =>
        fake.events.on(name, listener)) as unknown as Consumer['on'],
      connect,
      subscribe: () => Promise.resolve(),
      run: (config) => {
        fake.run = config;
        return Promise.resolve();
      },
      disconnect: () => {
        fake.isDisconnected = true;
        return new Promise<void>(() => undefined);
      },
      seek: () => undefined,
      pause: () => undefined,
      resume: () => [],
    };
  };
  return { kafka: { consumer } as unknown as Kafka, made };
}

function groupOf(kafka: Kafka): { group: Group; seen: Assignment[] } {
  const group = createGroup({
    ...{ kafka, topic: 't', groupId: 'g', partitions: 2, logger: silent },
    ...{ sessionTimeoutMs: 6_000, rebalanceTimeoutMs: 6_000, stalledAfterMs: STALLED_AFTER_MS },
  });
  const seen: Assignment[] = [];
  group.watch((assignment) => seen.push(assignment));
  return { group, seen };
}

function join(fake: Fake, memberId: string): void {
  fake.events.emit('join', { payload: { memberId, memberAssignment: { t: [0] } } });
}

function readerOf(): Reader & { readonly lost: unknown[]; taken: number } {
  const lost: unknown[] = [];
  return {
    lost,
    taken: 0,
    next: () => 0n,
    take() {
      this.taken += 1;
      return Promise.resolve();
    },
    kept: () => undefined,
    lose: (reason) => void lost.push(reason),
  };
}

const assignedOf = (seen: readonly Assignment[]): number[][] => seen.map(({ assigned }) => [...assigned]);

describe('membership of the consumer group', () => {
  afterEach(() => vi.useRealTimers());

  it('gives up a client that shows no sign of life, and joins with a new one', async () => {
    vi.useFakeTimers();
    const { kafka, made } = fakeClient();
    const { group, seen } = groupOf(kafka);
    await group.hold();
    join(made[0]!, 'first');
    const reader = readerOf();
    group.attach(0, reader);
    await vi.advanceTimersByTimeAsync(STALLED_AFTER_MS + 3_000);
    expect(reader.lost).toMatchObject([{ code: 'LOG_UNAVAILABLE' }]);
    expect(made.map(({ isDisconnected }) => isDisconnected)).toEqual([true, false]);
    join(made[1]!, 'second');
    expect(assignedOf(seen)).toEqual([[], [0], [], [0]]);
  });

  it('keeps a client that does anything at all', async () => {
    vi.useFakeTimers();
    const { kafka, made } = fakeClient();
    const { group } = groupOf(kafka);
    await group.hold();
    for (let n = 0; n < 5; n += 1) {
      await vi.advanceTimersByTimeAsync(STALLED_AFTER_MS - 3_000);
      made[0]!.events.emit(n % 2 === 0 ? 'request' : 'crash', { payload: { restart: true } });
    }
    expect(made).toHaveLength(1);
  });

  it('hears nothing more of a client that it gave up', async () => {
    vi.useFakeTimers();
    const { kafka, made } = fakeClient();
    const { group, seen } = groupOf(kafka);
    await group.hold();
    join(made[0]!, 'first');
    await vi.advanceTimersByTimeAsync(STALLED_AFTER_MS + 3_000);
    join(made[1]!, 'second');
    const reader = readerOf();
    group.attach(0, reader);
    join(made[0]!, 'risen');
    await made[0]!.run!.eachBatch!({ batch: { partition: 0 } } as EachBatchPayload);
    expect(assignedOf(seen)).toEqual([[], [0], [], [0]]);
    expect(reader).toMatchObject({ taken: 0, lost: [] });
    await made[1]!.run!.eachBatch!({ batch: { partition: 0 } } as EachBatchPayload);
    expect(reader.taken).toBe(1);
  });

  it('joins again where the client ended by itself, though it held no partition', async () => {
    vi.useFakeTimers();
    const { kafka, made } = fakeClient();
    const { group } = groupOf(kafka);
    await group.hold();
    made[0]!.events.emit('crash', { payload: { restart: false, error: new Error('ended') } });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(made).toHaveLength(2);
  });

  it('rejects where joining takes too long, and tries again', async () => {
    vi.useFakeTimers();
    let isHanging = true;
    const { kafka, made } = fakeClient(() =>
      isHanging ? new Promise<void>(() => undefined) : Promise.resolve(),
    );
    const { group } = groupOf(kafka);
    const held = expect(group.hold()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await vi.advanceTimersByTimeAsync(STALLED_AFTER_MS);
    await held;
    isHanging = false;
    await vi.advanceTimersByTimeAsync(3_000);
    expect(made.map(({ run }) => run === undefined)).toEqual([true, false]);
  });

  it('leaves it at that once nobody holds it', async () => {
    vi.useFakeTimers();
    const { kafka, made } = fakeClient();
    const { group } = groupOf(kafka);
    await group.hold();
    made[0]!.events.emit('crash', { payload: { restart: false, error: new Error('ended') } });
    group.release();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(made).toHaveLength(1);
  });
});
