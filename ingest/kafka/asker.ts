/** Questions to the brokers about topics and offsets, each answered or refused within a deadline. */
import type { Admin, Kafka } from 'kafkajs';
import { withDeadline } from './errors.ts';

export interface Asker {
  /** Rejects with LOG_UNAVAILABLE where no answer comes in time, else as the client does. */
  readonly ask: <T>(question: (admin: Admin) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

export interface AskerOptions {
  readonly kafka: Pick<Kafka, 'admin'>;
  /** @default 45000, as long as the client tries by itself */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 45_000;

/**
 * A client that has not answered in time is not asked again: the library can wait for ever for an answer that was lost
 * with its connection. The next question goes to a new one.
 */
export function createAsker({ kafka, deadlineMs = DEADLINE_MS }: AskerOptions): Asker {
  let current: Promise<Admin> | undefined;

  async function connect(): Promise<Admin> {
    const admin = kafka.admin({ retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 } });
    try {
      await admin.connect();
    } catch (error) {
      admin.disconnect().catch(() => undefined);
      throw error;
    }
    return admin;
  }

  function drop(asked: Promise<Admin>): void {
    if (current === asked) current = undefined;
    asked.then((admin) => admin.disconnect()).catch(() => undefined);
  }

  return {
    ask: async (question) => {
      const asked = (current ??= connect());
      const overdue = setTimeout(() => drop(asked), deadlineMs);
      asked.catch(() => drop(asked));
      try {
        return await withDeadline(asked.then(question), deadlineMs, 'brokers');
      } finally {
        clearTimeout(overdue);
      }
    },
    close: async () => {
      const asked = current;
      current = undefined;
      const admin = await withDeadline(asked ?? Promise.resolve(undefined), deadlineMs, 'brokers').catch(
        () => undefined,
      );
      await admin?.disconnect().catch(() => undefined);
    },
  };
}
