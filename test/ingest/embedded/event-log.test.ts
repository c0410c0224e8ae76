import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventLog } from '../../../ingest/event-log.ts';
import { openEmbeddedEventLog } from '../../../ingest/embedded/event-log.ts';
import type { Numbering } from '../../../ingest/frame-writer.ts';
import { eventLogContract, type EventLogUnderTest } from '../../contract/event-log.contract.ts';
import { NUMBERING } from '../../support/numbering.ts';

eventLogContract('embedded (LMDB)', () => prepare(undefined));
eventLogContract('embedded (LMDB), with numbered entries', () => prepare(NUMBERING));

async function prepare(numbering: Numbering | undefined): Promise<EventLogUnderTest> {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-event-log-'));
  const handles: EventLog[] = [];
  return {
    open: async (limits) => {
      const log = await openEmbeddedEventLog({
        newId: randomUUID,
        numbering,
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
}
