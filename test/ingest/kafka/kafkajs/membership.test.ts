import { EventEmitter } from 'node:events';
import type { Consumer, ConsumerRunConfig, EachBatchPayload, Kafka } from 'kafkajs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Assignment, Membership, PartitionReader } from '../../../../ingest/kafka/client.ts';
import { createMembership } from '../../../../ingest/kafka/kafkajs/membership.ts';
import { silent } from '../subject.ts';

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
      events: {
        GROUP_JOIN: 'join',
        CRASH: 'crash',
        REQUEST: 'request',
        END_BATCH_PROCESS: 'batch end',
      } as unknown as Consumer['events'],
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

function membershipOf(kafka: Kafka): { membership: Membership; seen: Assignment[] } {
  const membership = createMembership(kafka, {
    topic: 't',
    groupId: 'g',
    partitions: 2,
    logger: silent,
    sessionTimeoutMs: 6_000,
    rebalanceTimeoutMs: 6_000,
    lingerMs: 0,
    stalledAfterMs: STALLED_AFTER_MS,
  });
  const seen: Assignment[] = [];
  membership.watch((assignment) => seen.push(assignment));
  return { membership, seen };
}

function join(fake: Fake, memberId: string): void {
  fake.events.emit('join', { payload: { memberId, memberAssignment: { t: [0] } } });
}

function readerOf(): PartitionReader & { readonly lost: unknown[]; taken: number } {
  const lost: unknown[] = [];
  return {
    lost,
    taken: 0,
    next: () => 0n,
    take() {
      this.taken += 1;
      return Promise.resolve();
    },
    lose: (reason) => void lost.push(reason),
  };
}

function payloadOf(partition: number): EachBatchPayload {
  const batch = { partition, messages: [], lastOffset: () => '0' };
  return { batch, isRunning: () => true, isStale: () => false } as unknown as EachBatchPayload;
}

const assignedOf = (seen: readonly Assignment[]): number[][] => seen.map(({ assigned }) => [...assigned]);

describe('membership of the consumer group', () => {
  afterEach(() => vi.useRealTimers());

  it('gives up a client that shows no sign of life, and joins with a new one', async () => {
    vi.useFakeTimers();
    const { kafka, made } = fakeClient();
    const { membership, seen } = membershipOf(kafka);
    await membership.hold().joined;
    join(made[0]!, 'first');
    const reader = readerOf();
    membership.attach(0, reader);
    await vi.advanceTimersByTimeAsync(STALLED_AFTER_MS + 3_000);
    expect(reader.lost).toMatchObject([{ code: 'LOG_UNAVAILABLE' }]);
    expect(made.map(({ isDisconnected }) => isDisconnected)).toEqual([true, false]);
    join(made[1]!, 'second');
    expect(assignedOf(seen)).toEqual([[], [0], [], [0]]);
  });

  it('keeps a client that shows a sign of life from time to time', async () => {
    vi.useFakeTimers();
    const { kafka, made } = fakeClient();
    const { membership } = membershipOf(kafka);
    await membership.hold().joined;
    for (let n = 0; n < 5; n += 1) {
      await vi.advanceTimersByTimeAsync(STALLED_AFTER_MS - 3_000);
      made[0]!.events.emit(n % 2 === 0 ? 'request' : 'crash', { payload: { restart: true } });
    }
    expect(made).toHaveLength(1);
  });

  it('ignores a client that it gave up', async () => {
    vi.useFakeTimers();
    const { kafka, made } = fakeClient();
    const { membership, seen } = membershipOf(kafka);
    await membership.hold().joined;
    join(made[0]!, 'first');
    await vi.advanceTimersByTimeAsync(STALLED_AFTER_MS + 3_000);
    join(made[1]!, 'second');
    const reader = readerOf();
    membership.attach(0, reader);
    join(made[0]!, 'risen');
    await made[0]!.run!.eachBatch!(payloadOf(0));
    expect(assignedOf(seen)).toEqual([[], [0], [], [0]]);
    expect(reader).toMatchObject({ taken: 0, lost: [] });
    await made[1]!.run!.eachBatch!(payloadOf(0));
    expect(reader.taken).toBe(1);
  });

  it('joins again where the client ended by itself, though it held no partition', async () => {
    vi.useFakeTimers();
    const { kafka, made } = fakeClient();
    const { membership } = membershipOf(kafka);
    await membership.hold().joined;
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
    const { membership } = membershipOf(kafka);
    const held = expect(membership.hold().joined).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await vi.advanceTimersByTimeAsync(STALLED_AFTER_MS);
    await held;
    isHanging = false;
    await vi.advanceTimersByTimeAsync(3_000);
    expect(made.map(({ run }) => run === undefined)).toEqual([true, false]);
  });

  it('goes on for a reader that was attached before an earlier one was detached', async () => {
    const { kafka, made } = fakeClient();
    const { membership } = membershipOf(kafka);
    const hold = membership.hold();
    await hold.joined;
    join(made[0]!, 'first');
    const [earlier, later] = [readerOf(), readerOf()];
    const detachEarlier = membership.attach(0, earlier);
    membership.attach(0, later);
    detachEarlier();
    await made[0]!.run!.eachBatch!(payloadOf(0));
    expect([earlier.taken, later.taken]).toEqual([0, 1]);
    hold.release();
  });

  it('does not join again once all holds are released', async () => {
    vi.useFakeTimers();
    const { kafka, made } = fakeClient();
    const { membership } = membershipOf(kafka);
    const hold = membership.hold();
    await hold.joined;
    made[0]!.events.emit('crash', { payload: { restart: false, error: new Error('ended') } });
    hold.release();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(made).toHaveLength(1);
  });
});
