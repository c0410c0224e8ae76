import type { Admin, Kafka } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { createAdminClient } from '../../../../ingest/kafka/kafkajs/admin-client.ts';

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

  it('end with the client', async () => {
    const { kafka, disconnected } = fakeClient();
    const client = createAdminClient({ kafka });
    await client.request(() => Promise.resolve());
    await client.close();
    expect(disconnected).toEqual([0]);
  });
});
