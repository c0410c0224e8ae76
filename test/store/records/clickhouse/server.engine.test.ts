import { describe, expect, it } from 'vitest';
import { openRecordStore } from '../../../../store/records/clickhouse/record-store.ts';
import { recordStoreContract } from '../../../contract/record-store.contract.ts';
import { MIGRATIONS_DIR } from '../../../support/chdb-store.ts';
import { clickHouseServerPlace, startClickHouseFront } from '../../../support/clickhouse-front.ts';
import { killableBundle } from '../../../support/killable-bundles.ts';

recordStoreContract('a ClickHouse engine behind HTTP', clickHouseServerPlace);

describe('a record store by URL', () => {
  const rows = killableBundle(0);

  it('says that a server which is away is unavailable, and goes on when it is back', async () => {
    const place = await clickHouseServerPlace();
    const store = await place.open();
    await store.insert('p0', rows.rows, rows.token);
    await place.front.stop('SIGKILL');
    await expect(store.size('p0')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(store.insert('p0', rows.rows, rows.token)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    const back = await startClickHouseFront(place.dir, place.front.port);
    await store.insert('p0', rows.rows, rows.token);
    expect(await store.size('p0')).toBe(rows.rows.length);
    await store.close();
    await back.stop();
    await place.remove();
  });

  it('does not open with a wrong password, and opens with the right one', async () => {
    const place = await clickHouseServerPlace();
    await place.front.stop();
    const front = await startClickHouseFront(place.dir, 0, 'right');
    const open = (password: string) =>
      openRecordStore({
        connection: { kind: 'server', url: front.url, username: 'affidavit', password },
        migrationsDir: MIGRATIONS_DIR,
        clock: () => 0,
        limits: { maxExecutionMs: 1_000, maxRowsToRead: 1_000 },
      });
    await expect(open('wrong')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    const store = await open('right');
    expect(await store.size('p0')).toBe(0);
    await store.close();
    await front.stop();
    await place.remove();
  });
});
