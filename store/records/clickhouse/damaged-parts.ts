/** Goes on after a full disk: sets parts of the `records` table aside that count as written and cannot be read. */
import type { ClickHouseClient } from '@clickhouse/client';
import { isDamagedPart } from './engine-errors.ts';

/** Runs one write; where it meets a damaged part, loads the table again and runs it once more. */
export type Mending = <T>(write: () => Promise<T>) => Promise<T>;

/**
 * Loading a table makes the engine look at every part and put aside what is not whole. Rows of such a part are missing
 * afterwards, and the caller inserts them again from the archive. Writes must take turns.
 */
export function createMending(client: Pick<ClickHouseClient, 'command'>): Mending {
  let isDetached = false;

  const attach = async () => {
    await client.command({ query: 'ATTACH TABLE records' });
    isDetached = false;
  };

  return async (write) => {
    // A disk that is still full can refuse the second half, and without the table nothing would ever meet the damage.
    if (isDetached) await attach();
    try {
      return await write();
    } catch (error) {
      if (!isDamagedPart(error)) throw error;
      await client.command({ query: 'DETACH TABLE records SYNC' });
      isDetached = true;
      await attach();
      return await write();
    }
  };
}
