/** Recovers after a full disk or a folder that was away: sets parts of the `records` table aside that cannot be read. */
import type { ClickHouseClient } from '@clickhouse/client';
import { isDamagedPart } from './engine-errors.ts';

/** Runs one write. Where it meets a damaged part, loads the table again and runs the write once more. */
export type PartRepair = <T>(write: () => Promise<T>) => Promise<T>;

/**
 * Loading a table makes the engine check every part and set damaged ones aside. Their rows are missing afterwards, and
 * recovery inserts them again from the archive. Writes must take turns.
 */
export function createPartRepair(client: Pick<ClickHouseClient, 'command'>): PartRepair {
  // Whether the table was detached and not attached again. Writes take turns, so one of them at a time changes it.
  let isDetached = false;

  const attach = async () => {
    await client.command({ query: 'ATTACH TABLE records' });
    isDetached = false;
  };

  return async (write) => {
    // On a disk that is still full, attaching may have failed after the detach. Without the table every write fails.
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
