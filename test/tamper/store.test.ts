import { join } from 'node:path';
import type { ClickHouseClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FailureCode } from '../../schemas/verification-failures.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { buildReport, createFindings, NOTHING_ESTABLISHED } from '../../store/verify/report.ts';
import { openEngine } from '../../store/records/clickhouse/client.ts';
import { storedRows } from '../../store/records/queries/stored-rows.ts';
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { verifyRecordStore } from '../../store/verify/store/store-verification.ts';
import { chdbPlace } from '../support/chdb-store.ts';
import { createMemoryKeyStore } from '../support/memory-key-store.ts';
import { copyOf, firstIndex, removeCheckpoints, sealArchive, type SealedArchive } from './forge.ts';

let place: Awaited<ReturnType<typeof chdbPlace>>;
let store: RecordStore;
let engine: ClickHouseClient;
let sealed: SealedArchive;

beforeAll(async () => {
  place = await chdbPlace();
  store = await place.open();
  // Whoever edits the database comes by another way than the port.
  engine = openEngine({ kind: 'chdb', path: join(place.dir, 'engine') }).client;
  sealed = await sealArchive({ records: store });
  await sql('CREATE TABLE pristine AS records');
  await sql('INSERT INTO pristine SELECT * FROM records');
});
afterAll(async () => {
  await engine.close();
  await store.close();
  await place.remove();
  await sealed.dispose();
});

const sql = (query: string) => engine.command({ query });
/** Rows as the store gives them, before anybody touches it. */
const rowsOf = (log: string) => store.read(storedRows({ log, from_index: 0, to_index: 30 }));

/** Fills the table with what a SELECT makes of the rows as they were sealed. */
async function fill(select: string): Promise<void> {
  await sql('TRUNCATE TABLE records');
  if (select !== '') await sql(`INSERT INTO records ${select} SETTINGS insert_deduplicate = 0`);
}

async function verify(dir = sealed.dir): Promise<VerificationReport> {
  const findings = createFindings();
  const archive = await openLocalArchive({ dir, clock: () => Date.UTC(2026, 10, 21) });
  await verifyRecordStore({
    archive,
    dataKeys: createMemoryKeyStore(),
    records: store,
    logs: ['p0'],
    findings,
  });
  return buildReport(findings, { ...NOTHING_ESTABLISHED, kind: 'record_store' });
}

const where = (condition: string) => `SELECT * FROM pristine WHERE ${condition}`;
const replacing = (...changes: string[]) => `SELECT * REPLACE (${changes.join(', ')}) FROM pristine`;
const at = (index: number, column: string, value: string) =>
  `if(leaf_index = ${String(index)}, ${value}, ${column}) AS ${column}`;
const plus = (extra: string) => `SELECT * FROM pristine UNION ALL ${extra}`;
/** Row 12 as if it had been sealed elsewhere: all columns stay but its place. */
const copyOf12At = (index: number) =>
  `SELECT * REPLACE (toUInt64(${String(index)}) AS leaf_index) FROM (${where('leaf_index = 12')})`;

interface Case {
  readonly name: string;
  readonly rows: string;
  readonly code: FailureCode;
  readonly index: number;
  readonly names?: string;
}

const PLACES: readonly Case[] = [
  {
    name: 'the first rows dropped',
    rows: where('leaf_index >= 3'),
    code: 'row_missing_at_start',
    index: 0,
    names: 'rows 0 to 2',
  },
  {
    name: 'a row dropped from the middle',
    rows: where('leaf_index != 12'),
    code: 'row_missing',
    index: 12,
    names: 'rows 12 to 12',
  },
  {
    name: 'rows dropped at two places',
    rows: where('leaf_index NOT IN (7, 8, 20)'),
    code: 'row_missing',
    index: 7,
    names: 'rows 20 to 20',
  },
  {
    name: 'the last row dropped',
    rows: where('leaf_index != 29'),
    code: 'row_missing_at_end',
    index: 29,
    names: 'rows 29 to 29',
  },
  {
    name: 'the newest bundle dropped',
    rows: where('leaf_index < 23'),
    code: 'row_missing_at_end',
    index: 23,
    names: 'rows 23 to 29',
  },
  { name: 'the table emptied', rows: '', code: 'row_missing_at_end', index: 0, names: 'rows 0 to 29' },
  {
    name: 'a row duplicated',
    rows: plus(where('leaf_index = 12')),
    code: 'row_duplicated',
    index: 12,
  },
  {
    name: 'a row duplicated many times',
    rows: plus('SELECT pristine.* FROM pristine CROSS JOIN numbers(500) AS n WHERE leaf_index = 12'),
    code: 'row_duplicated',
    index: 12,
  },
  {
    name: 'two rows swapped',
    rows: replacing('toUInt64(multiIf(leaf_index = 12, 21, leaf_index = 21, 12, leaf_index)) AS leaf_index'),
    code: 'rows_swapped',
    index: 12,
    names: 'with the row of 21',
  },
  {
    name: 'a row replayed in place of another',
    rows: `${where('leaf_index != 20')} UNION ALL ${copyOf12At(20)}`,
    code: 'row_replayed',
    index: 20,
    names: 'what was sealed at 12',
  },
  {
    name: 'a row replayed beside another',
    rows: plus(copyOf12At(20)),
    code: 'row_replayed',
    index: 20,
    names: 'what was sealed at 12',
  },
  {
    name: 'three rows moved round',
    rows: replacing(
      'toUInt64(multiIf(leaf_index = 5, 6, leaf_index = 6, 7, leaf_index = 7, 5, leaf_index)) AS leaf_index',
    ),
    code: 'row_replayed',
    index: 5,
    names: 'what was sealed at 7',
  },
  {
    name: 'a row right behind the end of the log',
    rows: plus(copyOf12At(30)),
    code: 'row_beyond_log',
    index: 30,
    names: 'log p0 ends at 30',
  },
  {
    name: 'a row far behind the end of the log',
    rows: plus(copyOf12At(1_000_000)),
    code: 'row_beyond_log',
    index: 1_000_000,
  },
  {
    name: 'a row of a log that does not exist',
    rows: plus(`SELECT * REPLACE ('p1' AS log) FROM pristine WHERE leaf_index = 12`),
    code: 'row_of_unknown_log',
    index: 12,
    names: 'log p1',
  },
];

const TEXTS: readonly Case[] = [
  {
    name: 'the digest of the facts edited',
    rows: replacing(at(12, 'facts_digest', `reverse(facts_digest)`)),
    code: 'row_leaf_edited',
    index: 12,
    names: 'facts_digest',
  },
  {
    name: 'the digest of content that was never sealed',
    rows: replacing(at(12, 'content_digest', `reverse(facts_digest)`)),
    code: 'row_leaf_edited',
    index: 12,
    names: 'content_digest',
  },
  {
    name: 'content taken away with its digest',
    rows: replacing(at(13, 'content', `''`), at(13, 'content_secret', `''`), at(13, 'content_digest', `''`)),
    code: 'row_leaf_edited',
    index: 13,
    names: 'content_digest',
  },
  {
    name: 'facts edited with their digest',
    rows: replacing(
      at(13, 'facts', `replace(facts, '"Bash"', '"Read"')`),
      at(13, 'facts_digest', `reverse(facts_digest)`),
    ),
    code: 'row_leaf_edited',
    index: 13,
    names: 'facts_digest',
  },
  {
    name: 'chain hashes from an index on edited',
    rows: replacing(`if(leaf_index >= 12, reverse(chain_hash), chain_hash) AS chain_hash`),
    code: 'row_chain_hash_edited',
    index: 12,
    names: 'chain_hash',
  },
  {
    name: 'facts edited',
    rows: replacing(at(13, 'facts', `replace(facts, '"Bash"', '"Read"')`)),
    code: 'row_facts_edited',
    index: 13,
    names: 'facts',
  },
  {
    name: 'facts and their column edited alike',
    rows: replacing(at(13, 'facts', `replace(facts, '"Bash"', '"Read"')`), at(13, 'tool_name', `'Read'`)),
    code: 'row_facts_edited',
    index: 13,
  },
  {
    name: 'facts with white space',
    rows: replacing(at(13, 'facts', `replace(facts, '{', '{ ')`)),
    code: 'row_facts_edited',
    index: 13,
  },
  {
    name: 'content edited',
    rows: replacing(at(13, 'content', `replace(content, 'echo', 'true')`)),
    code: 'row_content_edited',
    index: 13,
    names: 'content',
  },
  {
    name: 'content added where none was sealed',
    rows: replacing(at(12, 'content', `'{"x":1}'`)),
    code: 'row_content_edited',
    index: 12,
  },
  {
    name: 'the secret of facts edited',
    rows: replacing(at(13, 'facts_secret', `reverse(facts_secret)`)),
    code: 'row_secret_edited',
    index: 13,
    names: 'facts_secret',
  },
  {
    name: 'the secret of content edited',
    rows: replacing(at(13, 'content_secret', `reverse(content_secret)`)),
    code: 'row_secret_edited',
    index: 13,
    names: 'content_secret',
  },
  {
    name: 'the secret of content taken away, its text left',
    rows: replacing(at(13, 'content_secret', `''`)),
    code: 'row_secret_edited',
    index: 13,
  },
];

/** Every column that the leaf is made of, with another value of its type. */
const LEAF_COLUMNS = Object.entries({
  id: `reverse(id)`,
  type: `'tool.failed'`,
  source: `'otel'`,
  principal: `'1'`,
  subject: `'2'`,
  retention_class: `'admin'`,
  received_at: `received_at + 1`,
}).map(([column, value]): Case => ({
  name: `the column ${column} edited`,
  rows: replacing(at(14, column, value)),
  code: 'row_leaf_edited',
  index: 14,
  names: column,
}));

/** Every other column that is derived. */
const COLUMNS = Object.entries({
  integrated_at: `integrated_at + INTERVAL 1 DAY`,
  tool_name: `'Read'`,
  session_id: `'session-9'`,
  occurred_at: `toDateTime64('2026-01-01 00:00:00', 9, 'UTC')`,
  success: `true`,
  input_tokens: `0`,
}).map(([column, value]): Case => ({
  name: `the column ${column} edited`,
  rows: replacing(at(14, column, value)),
  code: 'row_column_edited',
  index: 14,
  names: column,
}));

describe.each([
  ['places of rows', PLACES],
  ['leaves, facts and content', TEXTS],
  ['columns of the leaf', LEAF_COLUMNS],
  ['columns', COLUMNS],
] as const)('the record store, %s:', (_, cases) => {
  it('is found as sealed as long as nobody touched it', async () => {
    await fill('SELECT * FROM pristine');
    expect(await verify()).toMatchObject({ ok: true, kind: 'record_store', failures: [], notices: [] });
  });

  it.each(cases)('names $name: $code at $index', async ({ rows, code, index, names = '' }) => {
    await fill(rows);
    const report = await verify();
    expect(report).toMatchObject({ ok: false, integrity: 'broken' });
    const named = report.failures.filter((failure) => failure.code === code);
    expect(named.map((failure) => failure.index)).toContain(index);
    expect(named.map(({ detail }) => detail).join('\n')).toContain(names);
    expect(firstIndex(report)).toBe(index);
  });
});

describe('a leaf that somebody puts into the table beside the columns', () => {
  it('counts for nothing: the leaf is made of the columns', async () => {
    await fill('SELECT * FROM pristine');
    const rows = await rowsOf('p0');
    await sql(
      `ALTER TABLE records ADD COLUMN leaf String DEFAULT '', ADD COLUMN leaf_hash String DEFAULT ''`,
    );
    const kept = rows.map(({ leaf_index, leaf }) => `leaf_index = ${String(leaf_index)}, '${leaf}'`);
    const edit = `ALTER TABLE records UPDATE leaf = multiIf(${kept.join(', ')}, ''), type = if(leaf_index = 9, 'turn.ended', type) WHERE 1`;
    await engine.command({ query: edit, clickhouse_settings: { mutations_sync: '2' } });
    const report = await verify();
    await sql('ALTER TABLE records DROP COLUMN leaf, DROP COLUMN leaf_hash');
    expect(report.failures).toMatchObject([{ code: 'row_leaf_edited', index: 9 }]);
    expect(report.failures[0]!.detail).toContain('type');
  });
});

describe('edits by the engine’s own statements:', () => {
  it.each([
    [`ALTER TABLE records UPDATE reason = 'x' WHERE leaf_index = 9`, 'row_column_edited', 9],
    ['ALTER TABLE records DELETE WHERE leaf_index = 9', 'row_missing', 9],
    ['DELETE FROM records WHERE leaf_index = 9', 'row_missing', 9],
    [`ALTER TABLE records DROP PARTITION (202611, 'file')`, 'row_missing_at_start', 0],
  ] as const)('%s is named %s at %i', async (query, code, index) => {
    await fill('SELECT * FROM pristine');
    await engine.command({ query, clickhouse_settings: { mutations_sync: '2' } });
    expect((await verify()).failures[0]).toMatchObject({ code, index });
  });
});

describe('what a record store may lack without alarm:', () => {
  it('rows behind the newest published checkpoint, which the next start brings', async () => {
    const copy = await copyOf(sealed.dir);
    await removeCheckpoints(copy.dir, [30]);
    await fill(where('leaf_index < 23'));
    const report = await verify(copy.dir);
    expect(report).toMatchObject({ ok: true, failures: [], notices: [{ code: 'store_lag', index: 23 }] });
    await fill(where('leaf_index < 22'));
    expect((await verify(copy.dir)).failures).toMatchObject([{ code: 'row_missing_at_end', index: 22 }]);
    await fill(where('leaf_index NOT IN (24, 25)'));
    expect(await verify(copy.dir)).toMatchObject({ ok: true, notices: [{ code: 'store_lag', index: 24 }] });
    await copy.dispose();
  });

  it('content that was taken away, with its secret or without', async () => {
    await fill(replacing(`'' AS content`, `if(leaf_index < 15, '', content_secret) AS content_secret`));
    const report = await verify();
    expect(report).toMatchObject({ ok: true, failures: [], notices: [{ code: 'content_absent', index: 1 }] });
    expect(report.notices[0]?.detail).toContain('content of 22 rows');
  });
});
