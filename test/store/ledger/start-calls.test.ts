import { expect, it } from 'vitest';
import type { Archive } from '../../../store/archive/archive.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import { createRowsProjection } from '../../../store/projections/rows.ts';
import { createTilesProjection } from '../../../store/projections/tiles.ts';
import { createTestLog } from '../../support/ledger.ts';
import { sealSizes } from '../../support/long-log.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

/** Requests of a start to the archive, by kind, on a log of so many bundles of four leaves. */
async function requestsAtStart(bundles: number): Promise<Record<string, number>> {
  const archive = createMemoryArchive();
  const records = createMemoryRecordStore();
  const options = await createTestLog({ archive, records });
  await sealSizes(
    options,
    Array.from({ length: bundles }, () => 4),
  );
  const asked = { get: 0, list: 0, folders: 0, put: 0 };
  const counted: Archive = {
    ...archive,
    put: (...put) => ((asked.put += 1), archive.put(...put)),
    get: (key) => ((asked.get += 1), archive.get(key)),
    list: (...list) => ((asked.list += 1), archive.list(...list)),
    folders: (prefix) => ((asked.folders += 1), archive.folders(prefix)),
  };
  const projections = [createRowsProjection(records), createTilesProjection({ log: 'p0', archive: counted })];
  await openLedger({ ...options, archive: counted, projections });
  return asked;
}

it('a start asks the archive as often on a long log as on a short one', async () => {
  const short = await requestsAtStart(128);
  expect(await requestsAtStart(1_280)).toEqual(short);
  // Genesis, checkpoint and newest bundle, this one again for its keys; the bundle of the newest row and the one before, to
  // compare their chain.
  expect(short).toEqual({ get: 6, list: 5, folders: 9, put: 1 });
}, 120_000);
