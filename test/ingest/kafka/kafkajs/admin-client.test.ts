import type { Admin, Kafka } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { createAdminClient, createOffsetReader } from '../../../../ingest/kafka/kafkajs/admin-client.ts';

const never = (): Promise<never> => new Promise<never>(() => undefined);

/** Clients that connect as `connect` does, each with a number. */
function fakeClient(connect: (number: number) => Promise<void> = () => Promise.resolve()): {
  kafka: Pick<Kafka, 'admin'>;
  disconnected: number[];
  numberOf: (admin: Admin) => number;
} {
  const disconnected: number[] = [];
  const numbers = new Map<Admin, number>();
  const admin = (): Admin => {
    const number = numbers.size;
    const made = {
      connect: () => connect(number),
      disconnect: () => {
        disconnected.push(number);
        return Promise.resolve();
      },
    } as unknown as Admin;
    numbers.set(made, number);
    return made;
  };
  return { kafka: { admin }, disconnected, numberOf: (one) => numbers.get(one) ?? -1 };
}

const notLeader = (): Error =>
  Object.assign(new Error('this broker is not the leader'), { type: 'NOT_LEADER_FOR_PARTITION' });

describe('offsets', () => {
  it('are asked for again where a partition has just got its leader, or another one', async () => {
    let asked = 0;
    const fetchTopicOffsets = () => {
      asked += 1;
      if (asked === 1) return Promise.reject(notLeader());
      return Promise.resolve([{ partition: 0, offset: '9', high: '9', low: '4' }]);
    };
    const request = <T>(send: (admin: Admin) => Promise<T>): Promise<T> =>
      send({ fetchTopicOffsets } as unknown as Admin);
    const offsets = createOffsetReader({ request, close: () => Promise.resolve() });
    expect(await offsets.fetchRanges('events')).toEqual(new Map([[0, { low: 4n, high: 9n }]]));
    expect(asked).toBe(2);
  });
});

describe('requests of the admin client', () => {
  it('go to one client, also several at once', async () => {
    const { kafka, numberOf } = fakeClient();
    const { request } = createAdminClient({ kafka });
    const answers = [
      request((admin) => Promise.resolve(numberOf(admin))),
      request((admin) => Promise.resolve(numberOf(admin))),
    ];
    expect(await Promise.all(answers)).toEqual([0, 0]);
  });

  it('are refused after the deadline, and the next goes to another client', async () => {
    const { kafka, disconnected, numberOf } = fakeClient();
    const { request } = createAdminClient({ kafka, deadlineMs: 20 });
    await expect(request(never)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(await request((admin) => Promise.resolve(numberOf(admin)))).toBe(1);
    expect(disconnected).toEqual([0]);
  });

  it('do not end a client that refused one in time', async () => {
    const { kafka, disconnected, numberOf } = fakeClient();
    const { request } = createAdminClient({ kafka });
    await expect(request(() => Promise.reject(new Error('no such topic')))).rejects.toThrow('no such topic');
    expect(await request((admin) => Promise.resolve(numberOf(admin)))).toBe(0);
    expect(disconnected).toEqual([]);
  });

  it.each([
    ['fails', () => Promise.reject(new Error('refused'))],
    ['hangs', never],
  ])('go to another client where connecting %s', async (_, connect) => {
    const { kafka, numberOf } = fakeClient((number) => (number === 0 ? connect() : Promise.resolve()));
    const { request } = createAdminClient({ kafka, deadlineMs: 20 });
    await expect(request((admin) => Promise.resolve(numberOf(admin)))).rejects.toThrow();
    expect(await request((admin) => Promise.resolve(numberOf(admin)))).toBe(1);
  });

  it('go to another client where one knows a leader that is none any more', async () => {
    const { kafka, disconnected, numberOf } = fakeClient();
    const { request } = createAdminClient({ kafka });
    await expect(request(() => Promise.reject(notLeader()))).rejects.toThrow('not the leader');
    expect(await request((admin) => Promise.resolve(numberOf(admin)))).toBe(1);
    expect(disconnected).toEqual([0]);
  });

  it('end with the client', async () => {
    const { kafka, disconnected } = fakeClient();
    const client = createAdminClient({ kafka });
    await client.request(() => Promise.resolve());
    await client.close();
    expect(disconnected).toEqual([0]);
  });
});
