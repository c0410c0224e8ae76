import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PipelineError } from '../../../schemas/errors.ts';
import type { BundleHeader } from '../../../schemas/bundle.ts';
import { decodeBundle } from '../../../store/chain/bundle-bytes.ts';
import { toBundle } from '../../support/bundle-file.ts';
import { bundleKey } from '../../../store/chain/layout.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import type { LedgerOptions } from '../../../store/ledger/options.ts';
import type { ProjectedBundle } from '../../../store/ledger/projection.ts';
import { openSeenIds, type SeenIdsProjection } from '../../../store/projections/seen-ids.ts';
import type { RecordStore } from '../../../store/records/record-store.ts';
import { appendWhole, createTestLog, testLock, testRecord } from '../../support/ledger.ts';
import { createTestLogger } from '../../support/log-lines.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

let archive: ReturnType<typeof createMemoryArchive>;
let rows: ReturnType<typeof createMemoryRecordStore>;
let options: LedgerOptions;
let opened: SeenIdsProjection[];

const idOf = (n: number) => testRecord(n).id;
const idsFrom = (from: number, count: number) => Array.from({ length: count }, (_, n) => idOf(from + n));
const found = async (seen: SeenIdsProjection, ...ns: number[]) => {
  const has = await seen.has(ns.map(idOf));
  return ns.filter((n) => has.has(idOf(n)));
};

/** Seals records [from, from + count) in one bundle, as another process would. */
async function seal(from: number, count: number): Promise<void> {
  const records = idsFrom(from, count).map((_, n) => testRecord(from + n));
  await appendWhole(await openLedger(options), { records, next_offset: 0n, duplicate_count: 0 });
}

async function open(over: Partial<RecordStore> = {}, logger = pino({ level: 'silent' })) {
  const sleep = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
  const seen = await openSeenIds({ ...options, records: { ...rows, ...over }, logger, sleep });
  opened.push(seen);
  return seen;
}

/** A store that never answers the filling. */
function unfilled(): Pick<RecordStore, 'read'> {
  return {
    read: (query) =>
      query.name === 'id_bits_of_leaves'
        ? Promise.reject(new PipelineError('STORE_UNAVAILABLE', 'broken by the test'))
        : rows.read(query),
  };
}

function bundleOf(from: number, count: number, start = from): ProjectedBundle {
  return {
    log: 'p0',
    key: bundleKey('p0', start),
    start_index: start,
    tree_size: start + count,
    ids: idsFrom(from, count),
    lock: testLock(),
    leafHashes: [],
    rows: () => Promise.resolve([]),
  };
}

beforeEach(async () => {
  opened = [];
  archive = createMemoryArchive();
  rows = createMemoryRecordStore();
  options = await createTestLog({ archive, records: rows });
});
afterEach(async () => {
  for (const seen of opened) await seen.close();
});

describe.each(['once the table is filled', 'while the table is filled'])('seen ids, %s', (when) => {
  const openHere = async () => {
    if (when === 'while the table is filled') return open(unfilled());
    const seen = await open();
    await seen.filled();
    return seen;
  };

  it('know nothing of an empty log', async () => {
    const seen = await openHere();
    expect(await found(seen, 0)).toEqual([]);
    expect(await seen.size('p0')).toBe(0);
  });

  it('know exactly the ids that were sealed before they were opened', async () => {
    await seal(0, 3);
    await seal(3, 4);
    const seen = await openHere();
    expect(await seen.size('p0')).toBe(7);
    expect(await found(seen, 9, 6, 0, 7, 3)).toEqual([6, 0, 3]);
  });

  it('know the ids of a bundle as soon as it is applied, beside the older ones', async () => {
    await seal(0, 3);
    const seen = await openHere();
    await seen.apply([bundleOf(3, 2)]);
    expect(await seen.size('p0')).toBe(5);
    expect(await found(seen, 0, 3, 4, 5)).toEqual([0, 3, 4]);
  });

  it('tell apart ids that differ in the last digit only', async () => {
    await seal(0, 1);
    const seen = await openHere();
    const id = idOf(0);
    const near = `${id.slice(0, 63)}${id.endsWith('0') ? '1' : '0'}`;
    expect(await seen.has([near])).toEqual(new Set());
  });

  it('believe the archive where a row names another id', async () => {
    await seal(0, 2);
    Object.assign(rows.rows[1]!, { id: idOf(8) });
    expect(await found(await openHere(), 0, 8)).toEqual([0]);
  });
});

describe('seen ids', () => {
  it('apply a bundle once, and only its leaves that are new', async () => {
    const seen = await open();
    await seen.apply([bundleOf(0, 2)]);
    await seen.apply([bundleOf(0, 2)]);
    await seen.apply([bundleOf(0, 5)]);
    expect(await seen.size('p0')).toBe(5);
    expect(await found(seen, 0, 4, 5)).toEqual([0, 4]);
  });

  it('refuse a bundle that does not follow', async () => {
    const seen = await open();
    await expect(async () => seen.apply([bundleOf(3, 2)])).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('cannot say what is sealed where rows are missing that the table does not have yet', async () => {
    await seal(0, 3);
    const seen = await open(unfilled());
    rows.rows.pop();
    await expect(seen.has([idOf(9)])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('go on beside a row that is there twice', async () => {
    await seal(0, 3);
    rows.rows.push({ ...rows.rows[1]! });
    const seen = await open({ size: () => Promise.resolve(3) });
    await seen.filled();
    expect(await found(seen, 0, 1, 2, 3)).toEqual([0, 1, 2]);
    const unfilledYet = await open({ ...unfilled(), size: () => Promise.resolve(3) });
    expect(await found(unfilledYet, 0, 1, 2, 3)).toEqual([0, 1, 2]);
  });

  it('cannot say what is sealed while the filling misses rows, though as many others are there twice', async () => {
    await seal(0, 5);
    const whole = [...rows.rows];
    rows.rows.splice(2, 1);
    rows.rows.push({ ...rows.rows[0]! });
    const { logger, lines } = createTestLogger();
    const seen = await open({ size: () => Promise.resolve(5) }, logger);
    await expect.poll(() => lines.length).toBeGreaterThan(0);
    await expect(seen.has([idOf(2)])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    rows.rows.splice(0, rows.rows.length, ...whole);
    await seen.filled();
    expect(await found(seen, 2, 9)).toEqual([2]);
  });

  it('cannot say what is sealed where the archive lacks the leaf of an id', async () => {
    await seal(0, 3);
    archive.objects.delete(bundleKey('p0', 0));
    const seen = await open();
    await seen.filled();
    await expect(seen.has([idOf(1)])).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    expect(await found(seen, 9)).toEqual([]);
  });

  it('believe no bundle whose leaves were changed, though its header is signed', async () => {
    await seal(0, 3);
    await seal(3, 2);
    const key = bundleKey('p0', 0);
    const { headerText, frameTexts, leafTexts } = decodeBundle(archive.objects.get(key)!);
    const changed = leafTexts.map((text) => text.replace(idOf(1), idOf(8)));
    const lines = { frameTexts, leafTexts: changed };
    archive.objects.set(key, await toBundle(JSON.parse(headerText) as BundleHeader, lines));
    Object.assign(rows.rows[1]!, { id: idOf(8) });
    const seen = await open();
    await seen.filled();
    await expect(seen.has([idOf(8)])).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });

  it('cover more ids than one query asks for', async () => {
    await seal(0, 3);
    const seen = await open(unfilled());
    expect(await seen.has([...idsFrom(100, 4_500), idOf(2)])).toEqual(new Set([idOf(2)]));
  });

  it('go on with the filling after a failure, and say when it is done', async () => {
    await seal(0, 3);
    let failures = 2;
    const { logger, lines } = createTestLogger();
    const read: RecordStore['read'] = (query) => {
      if (failures === 0) return rows.read(query);
      failures -= 1;
      return Promise.reject(new PipelineError('STORE_UNAVAILABLE', 'broken by the test'));
    };
    const seen = await open({ read }, logger);
    await seen.filled();
    expect(lines.map(({ msg }) => msg)).toEqual([
      'seen ids are not filled further, will retry',
      'seen ids are not filled further, will retry',
      'seen ids are filled',
    ]);
    expect(await found(seen, 2)).toEqual([2]);
  });

  it('ask the archive once for repeats of one bundle, and not at all for one that was just sealed', async () => {
    await seal(0, 6);
    const seen = await open();
    await seen.filled();
    let gets = 0;
    const get = archive.get.bind(archive);
    archive.get = (key) => {
      gets += 1;
      return get(key);
    };
    expect(await found(seen, 5, 1, 2)).toEqual([5, 1, 2]);
    // The bundle, and once the genesis and the newest bundle, which name the keys of the log.
    expect(gets).toBe(3);
    expect(await found(seen, 0, 3)).toEqual([0, 3]);
    expect(gets).toBe(3);
    await seen.apply([bundleOf(6, 2)]);
    expect(await found(seen, 7)).toEqual([7]);
    expect(gets).toBe(3);
  });

  it('forget everything on clear and can be fed again', async () => {
    await seal(0, 2);
    const seen = await open();
    await seen.clear();
    expect(await seen.size('p0')).toBe(0);
    expect(await found(seen, 0, 1)).toEqual([]);
    await seen.apply([bundleOf(0, 1)]);
    expect(await found(seen, 0, 1)).toEqual([0]);
  });

  it('take nothing but ids of this program', async () => {
    const seen = await open();
    await expect(seen.has(['A'.repeat(64)])).rejects.toThrow(RangeError);
    await expect(seen.has(['ab'])).rejects.toThrow(RangeError);
  });
});
