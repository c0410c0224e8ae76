import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { idBitsOf, idBitsOfLeaves, idsBelow } from '../../store/records/queries/seen-ids.ts';
import type { RecordRow, RecordStore } from '../../store/records/record-store.ts';
import { auditRecord, sealedRows } from '../support/sealed-rows.ts';

/** A place that record stores are opened at: what one wrote, the next one reads. */
export interface RecordStorePlace {
  open(): Promise<RecordStore>;
  remove(): Promise<void>;
}

/** What every adapter of the port must keep. One place, opened again and again; cleared before each test. */
export function recordStoreContract(name: string, makePlace: () => Promise<RecordStorePlace>): void {
  describe(`record store contract: ${name}`, () => {
    let place: RecordStorePlace;
    let store: RecordStore;
    const rows = sealedRows(
      Array.from({ length: 30 }, (_, n) =>
        auditRecord(`record ${n}`, { content: { text: `words of ${n}` } }),
      ),
    );

    beforeAll(async () => {
      place = await makePlace();
      store = await place.open();
    });
    beforeEach(() => store.clear());
    afterAll(async () => {
      await store.close();
      await place.remove();
    });

    const indexes = async (log = 'p0') => {
      const found = await store.read<{ leaf_index: number }>({
        name: 'indexes',
        sql: 'SELECT leaf_index FROM records WHERE log = {log: String} ORDER BY leaf_index',
        params: { log },
      });
      return found.map((row) => row.leaf_index);
    };
    const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

    it('counts nothing in a log that it has never seen', async () => {
      expect(await store.size('p0')).toBe(0);
    });

    it('shows rows as soon as insert resolves, and counts them', async () => {
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      expect(await store.size('p0')).toBe(10);
      expect(await indexes()).toEqual(upTo(10));
    });

    it('takes an empty bundle as nothing to do', async () => {
      await store.insert('p0', [], 'bundle-0');
      expect(await store.size('p0')).toBe(0);
    });

    it('writes a bundle once, however often it is inserted with its token', async () => {
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      await store.insert('p0', rows.slice(10, 20), 'bundle-10');
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      await store.insert('p0', rows.slice(10, 20), 'bundle-10');
      expect(await indexes()).toEqual(upTo(20));
    });

    it('writes a place once, whatever the token', async () => {
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      await store.insert('p0', rows.slice(0, 10), 'another-token');
      await store.insert('p0', rows.slice(5, 15), 'a-third-token');
      expect(await indexes()).toEqual(upTo(15));
      expect(await store.size('p0')).toBe(15);
    });

    it('writes a place once when the same bundle is inserted several times at once', async () => {
      await Promise.all([1, 2, 3].map((n) => store.insert('p0', rows.slice(0, 10), `token-${n}`)));
      expect(await indexes()).toEqual(upTo(10));
    });

    it('refuses rows that would leave a hole until those before them are there, and stays as it was', async () => {
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      await expect(store.insert('p0', rows.slice(11, 20), 'bundle-11')).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        retry: 'later',
      });
      expect(await store.size('p0')).toBe(10);
    });

    it('refuses rows of another log or out of order', async () => {
      const swapped = [rows[1], rows[0]] as RecordRow[];
      await expect(store.insert('p0', swapped, 'bundle-0')).rejects.toMatchObject({ code: 'INTERNAL' });
      await expect(store.insert('p1', rows.slice(0, 2), 'bundle-0')).rejects.toMatchObject({
        code: 'INTERNAL',
      });
      expect(await store.size('p0')).toBe(0);
    });

    it('keeps logs apart', async () => {
      const other = sealedRows([auditRecord('elsewhere')], 'p1');
      await store.insert('p0', rows.slice(0, 3), 'p0/bundle-0');
      await store.insert('p1', other, 'p1/bundle-0');
      expect(await store.size('p0')).toBe(3);
      expect(await store.size('p1')).toBe(1);
    });

    it('writes a bundle of several retention classes and months once', async () => {
      const mixed = rows.slice(0, 9).map((row, n) => ({
        ...row,
        retention_class: n % 2 === 0 ? 'content' : 'file',
        integrated_at: n < 4 ? '2026-03-31T23:59:59.999Z' : '2026-04-01T00:00:00.000Z',
      }));
      await store.insert('p0', mixed, 'bundle-0');
      await store.insert('p0', mixed, 'bundle-0');
      expect(await indexes()).toEqual(upTo(9));
    });

    it('takes the same bundles with the same tokens again after clear', async () => {
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      await store.clear();
      expect(await store.size('p0')).toBe(0);
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      expect(await indexes()).toEqual(upTo(10));
    });

    it('remembers rows and tokens when it is closed and opened again', async () => {
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      await store.close();
      await store.close();
      store = await place.open();
      expect(await store.size('p0')).toBe(10);
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      await store.insert('p0', rows.slice(10, 20), 'bundle-10');
      expect(await indexes()).toEqual(upTo(20));
    });

    it('refuses work after close as unavailable', async () => {
      await store.close();
      await expect(store.size('p0')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await expect(store.insert('p0', rows.slice(0, 1), 'bundle-0')).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
      });
      store = await place.open();
    });

    it('finishes a running question before it closes', async () => {
      const slow = store.read({
        name: 'slow',
        sql: 'SELECT sum(sipHash64(number)) AS total FROM numbers(20000000)',
        params: {},
      });
      await store.close();
      expect(await slow).toHaveLength(1);
      store = await place.open();
    });

    it('stops a question that reads or runs too long, and goes on answering others', async () => {
      const endless = {
        name: 'endless',
        sql: 'SELECT sum(number) AS s FROM numbers(1000000000000)',
        params: {},
      };
      await expect(store.read(endless, { maxRowsToRead: 1000 })).rejects.toMatchObject({
        code: 'QUERY_LIMIT',
      });
      await expect(
        store.read(endless, { maxExecutionMs: 100, maxRowsToRead: 2 ** 50 }),
      ).rejects.toMatchObject({ code: 'QUERY_LIMIT' });
      expect(await store.read({ name: 'one', sql: 'SELECT 1 AS one', params: {} })).toEqual([{ one: 1 }]);
    });

    it('shows nothing of a failed answer in the answers after it', async () => {
      const failing = {
        name: 'failing',
        sql: `SELECT number, if(number = 900000, throwIf(1), 0) AS zero FROM numbers(1000000)`,
        params: {},
      };
      const failed = store.read(failing).catch((error: unknown) => error);
      const next = store.read({ name: 'one', sql: 'SELECT 1 AS one', params: {} });
      expect(await failed).toBeInstanceOf(Error);
      expect(await next).toEqual([{ one: 1 }]);
      expect(await store.size('p0')).toBe(0);
    });

    it('does not let a question write', async () => {
      await store.insert('p0', rows.slice(0, 3), 'bundle-0');
      for (const sql of [
        'TRUNCATE TABLE records',
        'INSERT INTO records SELECT * FROM records',
        'DROP TABLE records',
        'SELECT 1; DROP TABLE records',
      ]) {
        await expect(store.read({ name: 'write', sql, params: {} })).rejects.toMatchObject({
          code: 'INTERNAL',
        });
      }
      expect(await store.size('p0')).toBe(3);
    });

    it('names a defect of a question as internal, not as an outage', async () => {
      await expect(
        store.read({ name: 'unknown', sql: 'SELECT nowhere FROM records', params: {} }),
      ).rejects.toMatchObject({ code: 'INTERNAL' });
    });

    it('answers where ids are below an index, and how many rows there are', async () => {
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      const ask = async (below_index: number, ...asked: number[]) => {
        const ids = asked.map((n) => rows[n]!.id);
        return (await store.read(idsBelow({ log: 'p0', ids, below_index })))[0];
      };
      expect(await ask(8, 3, 7, 8, 12)).toEqual({
        row_count: 8,
        found: [
          [rows[3]!.id, 3],
          [rows[7]!.id, 7],
        ],
      });
      expect(await ask(20, 12)).toEqual({ row_count: 10, found: [] });
      expect(await store.read(idsBelow({ log: 'p1', ids: [rows[3]!.id], below_index: 8 }))).toEqual([
        { row_count: 0, found: [] },
      ]);
    });

    it('answers with the first bits of ids in the order of the log', async () => {
      await store.insert('p0', rows.slice(0, 10), 'bundle-0');
      const expected = rows.slice(2, 9).map(({ id }) => idBitsOf(id));
      const range = { log: 'p0', from_index: 2, to_index: 9 };
      expect(await store.read(idBitsOfLeaves(range))).toEqual([{ id_bits: expected }]);
    });

    it('keeps the highest version that was noted of a projection, until it is cleared', async () => {
      const { versions } = store;
      expect(await versions.noted('rows')).toBeUndefined();
      await versions.note('rows', 2);
      await versions.note('rows', 3);
      await versions.note('others', 7);
      expect(await versions.noted('rows')).toBe(3);
      await store.clear();
      expect(await versions.noted('rows')).toBeUndefined();
    });
  });
}
