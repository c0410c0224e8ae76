/** Child process: inserts bundles of two retention classes into the engine at argv[2], and prints each size it reached. */
import { openRecordStore } from '../../store/records/clickhouse/record-store.ts';
import { killableBundle } from './killable-bundles.ts';

const [, , path = '', migrationsDir = ''] = process.argv;
const store = await openRecordStore({
  connection: { kind: 'chdb', path },
  migrationsDir,
  clock: () => 0,
  limits: { maxExecutionMs: 10_000, maxRowsToRead: 1_000_000 },
});
for (let start = await store.size('p0'); ;) {
  const { rows, token } = killableBundle(start);
  await store.insert('p0', rows, token);
  start = (rows.at(-1)?.leaf_index ?? 0) + 1;
  process.stdout.write(`${start}\n`);
}
