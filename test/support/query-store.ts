import { afterAll, beforeAll } from 'vitest';
import type { AuditRecord } from '../../schemas/record.ts';
import type { Query, RecordStore } from '../../store/records/record-store.ts';
import { chdbPlace } from './chdb-store.ts';
import { sealedRows } from './sealed-rows.ts';

/** A real store for a test file's questions: `fill` replaces what is in it with one log of the given records. */
export function useQueryStore() {
  let place: Awaited<ReturnType<typeof chdbPlace>>;
  let store: RecordStore;
  beforeAll(async () => {
    place = await chdbPlace();
    store = await place.open();
  });
  afterAll(async () => {
    await store.close();
    await place.remove();
  });
  return {
    async fill(records: readonly AuditRecord[]) {
      await store.clear();
      await store.insert('p0', sealedRows(records), 'bundle-0');
    },
    read: <Row>(query: Query<Row>) => store.read(query),
  };
}

/** The same records in an order that a seed decides. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const result = [...items];
  let state = seed;
  for (let last = result.length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = state % (last + 1);
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}
