import { describe, expect, it } from 'vitest';
import { PipelineError } from '../../../schemas/errors.ts';
import type { Archive } from '../../../store/archive/archive.ts';
import { bundleKey, checkpointKey } from '../../../store/chain/layout.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { appendWhole, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

const BATCH = { records: [testRecord(0), testRecord(1)], next_offset: 2n, duplicate_count: 0 };
const BUNDLE = bundleKey('p0', 0);
const CHECKPOINT = checkpointKey('p0', 2);

/** An archive that keeps the bundle and never says so, as the disk does before the name of a file is flushed. */
async function archiveWithUnansweredBundle() {
  const archive = createMemoryArchive();
  const records = createMemoryRecordStore();
  const options = await createTestLog({ archive, records });
  const unanswered: Archive = {
    ...archive,
    put: async (key, bytes, lock) => {
      const outcome = await archive.put(key, bytes, lock);
      if (key === BUNDLE) throw new PipelineError('ARCHIVE_UNAVAILABLE', 'no answer');
      return outcome;
    },
  };
  const ledger = await openLedger({ ...options, archive: unanswered });
  await expect(appendWhole(ledger, BATCH)).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
  expect(archive.objects.has(BUNDLE)).toBe(true);
  return { archive, records, options };
}

/** Which objects are put, and how many rows there are at each of them. */
function recorded(archive: Archive, countRows: () => number) {
  const puts: [string, number][] = [];
  const put: Archive['put'] = (key, bytes, lock) => {
    puts.push([key, countRows()]);
    return archive.put(key, bytes, lock);
  };
  return { puts, archive: { ...archive, put } };
}

describe('a bundle whose creation was never answered', () => {
  it('is put again by recovery, because its name may vanish in a power loss, before rows or a checkpoint rest on it', async () => {
    const { archive, records, options } = await archiveWithUnansweredBundle();
    const watched = recorded(archive, () => records.rows.length);
    await openLedger({ ...options, archive: watched.archive });
    expect(watched.puts).toEqual([
      [BUNDLE, 0],
      [CHECKPOINT, 2],
    ]);
  });

  it('stops recovery where the archive does not answer for it, and not one row is inserted', async () => {
    const { archive, records, options } = await archiveWithUnansweredBundle();
    const put = () => Promise.reject(new PipelineError('ARCHIVE_UNAVAILABLE', 'no answer'));
    await expect(openLedger({ ...options, archive: { ...archive, put } })).rejects.toMatchObject({
      code: 'ARCHIVE_UNAVAILABLE',
    });
    expect(records.rows).toEqual([]);
    expect(await options.guard.latest(options.signer.name)).toBeUndefined();
  });

  it('needs no second put once a checkpoint covers it: that was made after the answer', async () => {
    const { archive, records, options } = await archiveWithUnansweredBundle();
    await openLedger(options);
    const watched = recorded(archive, () => records.rows.length);
    await openLedger({ ...options, archive: watched.archive });
    expect(watched.puts).toEqual([[CHECKPOINT, 2]]);
  });
});
