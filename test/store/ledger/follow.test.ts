import { describe, expect, it } from 'vitest';
import { openLedger } from '../../../store/ledger/ledger.ts';
import type { ProjectedBundle, Projection, ProjectionStage } from '../../../store/ledger/projection.ts';
import { appendWhole, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

/** Remembers what is applied to it. `said` is shared, so that the order of all is seen. */
function createCounter(name: string, stage: ProjectionStage, said: string[]) {
  const bundles: ProjectedBundle[] = [];
  const counter = {
    name,
    version: 1,
    stage,
    bundles,
    size: () => Promise.resolve(bundles.at(-1)?.tree_size ?? 0),
    apply: (applied: readonly ProjectedBundle[]) => {
      for (const bundle of applied) {
        bundles.push(bundle);
        said.push(`${name} ${String(bundle.start_index)}`);
      }
      return Promise.resolve();
    },
    clear: () => Promise.resolve(void (bundles.length = 0)),
  };
  return counter satisfies Projection;
}

async function setUp() {
  const said: string[] = [];
  const store = createMemoryRecordStore();
  const archive = createMemoryArchive();
  const options = await createTestLog({ archive, records: store });
  const [rows] = options.projections;
  const ids = createCounter('ids', 'sealing', said);
  const grants = createCounter('grants', 'sealing', said);
  const totals = createCounter('totals', 'publishing', said);
  const projections = [totals, ids, rows!, grants];
  return { said, store, archive, ids, grants, totals, options: { ...options, projections } };
}

const batch = (from: number, count: number) => ({
  records: Array.from({ length: count }, (_, n) => testRecord(from + n)),
  next_offset: BigInt(from + count),
  duplicate_count: 0,
});

describe('projections that follow a log', () => {
  it('have a bundle when its append resolves, if sealing reads them, and before its checkpoint in any case', async () => {
    const { options, said } = await setUp();
    const ledger = await openLedger(options);
    const { published } = await ledger.append(batch(0, 2));
    expect(said.slice(0, 2)).toEqual(['ids 0', 'grants 0']);
    await published;
    expect(said).toEqual(['ids 0', 'grants 0', 'totals 0']);
    expect((await ledger.checkpoint())?.tree_size).toBe(2);
  });

  it('get the same bundles from the archive as from the ledger that sealed them', async () => {
    const { options, totals, ids } = await setUp();
    const ledger = await openLedger(options);
    await appendWhole(ledger, batch(0, 3));
    await appendWhole(ledger, batch(3, 2));
    const seen = await Promise.all(totals.bundles.map(async (one) => ({ ...one, rows: await one.rows() })));
    await totals.clear();
    await openLedger(options);
    const read = await Promise.all(totals.bundles.map(async (one) => ({ ...one, rows: await one.rows() })));
    expect(read).toEqual(seen);
    expect(ids.bundles.map(({ start_index }) => start_index)).toEqual([0, 3]);
  });

  it('get only what each lacks, in order', async () => {
    const { options, said, totals, ids } = await setUp();
    const ledger = await openLedger(options);
    for (const from of [0, 2, 4]) await appendWhole(ledger, batch(from, 2));
    ids.bundles.length = 2;
    totals.bundles.length = 1;
    said.length = 0;
    await ledger.recover();
    expect(said).toEqual(['totals 2', 'totals 4', 'ids 4']);
  });

  it('are asked before the archive: a bundle that another one seals meanwhile does not refuse the start', async () => {
    const { options, archive } = await setUp();
    const [one, two] = [await openLedger(options), await openLedger(options)];
    const folders = archive.folders.bind(archive);
    archive.folders = async (prefix) => {
      archive.folders = folders;
      await appendWhole(one, batch(0, 2));
      return folders(prefix);
    };
    await two.recover();
    expect(two.treeSize()).toBe(2);
  });

  it.each([0, 1, 2, 3, 4])(
    'refuse the start where they are of another log, of which they hold %i leaves more',
    async (n) => {
      const one = await setUp();
      const other = await setUp();
      await appendWhole(await openLedger(one.options), batch(0, 3));
      await appendWhole(await openLedger(one.options), batch(3, 4));
      await appendWhole(await openLedger(other.options), batch(10, 1 + n));
      const projections = one.options.projections.map((own, position) =>
        own.stage === 'publishing' ? (other.options.projections[position] ?? own) : own,
      );
      await expect(openLedger({ ...one.options, projections })).rejects.toMatchObject({
        code: 'START_REFUSED',
        detail: expect.stringContaining('are not those of p0') as string,
      });
    },
  );

  it('go on where they hold a part of a bundle', async () => {
    const { options, store } = await setUp();
    await appendWhole(await openLedger(options), batch(0, 3));
    await appendWhole(await openLedger(options), batch(3, 4));
    store.rows.length = 5;
    await openLedger(options);
    expect(store.rows).toHaveLength(7);
  });

  it('refuse the start where one holds more than the archive', async () => {
    const { options, totals } = await setUp();
    await appendWhole(await openLedger(options), batch(0, 2));
    totals.size = () => Promise.resolve(3);
    await expect(openLedger(options)).rejects.toMatchObject({
      code: 'START_REFUSED',
      detail: expect.stringMatching(
        /the totals hold 3 leaves of p0, the archive only 2: .*newest copy, and rebuild nothing before/,
      ) as string,
    });
  });

  it('are recovered after one failed to take a bundle, which is sealed all the more', async () => {
    const { options, grants, store } = await setUp();
    const ledger = await openLedger(options);
    const apply = grants.apply;
    grants.apply = () => Promise.reject(new Error('broken by the test'));
    await expect(ledger.append(batch(0, 2))).rejects.toThrow('broken by the test');
    grants.apply = apply;
    await expect(ledger.append(batch(2, 2))).rejects.toMatchObject({ code: 'START_REFUSED' });
    await ledger.recover();
    expect([ledger.treeSize(), store.rows.length, grants.bundles.length]).toEqual([2, 2, 1]);
  });
});
