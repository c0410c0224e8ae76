import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventLog } from '../../../ingest/event-log.ts';
import { openEmbeddedEventLog } from '../../../ingest/embedded/event-log.ts';
import { eventLogContract } from '../../contract/event-log.contract.ts';

eventLogContract('embedded (LMDB)', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-event-log-'));
  const handles: EventLog[] = [];
  return {
    open: async (limits) => {
      const log = await openEmbeddedEventLog({
        newId: randomUUID,
        dir,
        maxBacklogBytes: 64 * 1024 * 1024,
        maxBacklogEnvelopes: 10_000,
        ...limits,
      });
      handles.push(log);
      return log;
    },
    dispose: async () => {
      for (const handle of handles) await handle.close();
      await rm(dir, { recursive: true });
    },
  };
});
