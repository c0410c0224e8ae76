/**
 * Draws the populations and exceptions of a control. In: its queries and a scope. Out: CSV files, counts, and the
 * records they rest on. Invariant: every counted row is written, and every record it names lies under the checkpoint.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { ControlException, PopulationResult, RuleResult } from '../../schemas/control.ts';
import type { Query, RecordStore } from '../../store/records/record-store.ts';
import type {
  ExceptionRow,
  ExceptionRule,
  LeafIndexRow,
  Population,
  PopulationRow,
  Scope,
} from '../controls/control.ts';
import { createIndexSet, type IndexSet } from './index-set.ts';
import { csvLine } from '../render/csv.ts';
import type { PopulationSample } from '../render/report-input.ts';
import { diverged, leafRanges, REPORT_READ_LIMITS } from './sealed-log.ts';

/** Bounds the memory; large, because the engine builds the groups again for each page. */
const ROWS_PER_PAGE = 25_000;
/** Ids are parameters of the question, which a ClickHouse server reads from the URL. */
const IDS_PER_LOOKUP = 500;
const SAMPLE_ROWS = 5;
/** Exceptions listed per rule; `exception_count` counts those beyond it too. */
export const LISTED_EXCEPTIONS = 1000;

export interface DrawContext {
  readonly store: RecordStore;
  readonly scope: Scope;
  readonly signal: AbortSignal;
}

export interface DrawnPopulation {
  readonly result: PopulationResult;
  readonly sample: PopulationSample;
}

/** Writes the CSV of a population and adds the records it rests on to `members`. */
export async function drawPopulation(
  context: DrawContext,
  population: Population,
  target: { readonly file: string; readonly csv_path: string; readonly members: IndexSet },
): Promise<DrawnPopulation> {
  const own = createIndexSet(context.scope.tree_size);
  const csv = await openCsv(target.file, population.columns);
  const rows: PopulationRow[] = [];
  let row_count = 0;
  let named = 0;
  try {
    for await (const page of pagesOf(context, population)) {
      await csv.write(page);
      rows.push(...page.slice(0, SAMPLE_ROWS - rows.length));
      row_count += page.length;
      named += page.reduce((sum, { record_ids }) => sum + record_ids.length, 0);
      if (population.members === undefined) own.addAll(await indexesOf(context, page));
    }
  } finally {
    await csv.close();
  }
  if (population.members !== undefined) await addMembers(context, population.members, { own, named });
  target.members.addSet(own);
  const { sql, params } = population.page(context.scope, { after: undefined, limit: ROWS_PER_PAGE });
  const { id, title, definition, columns } = population;
  const digest = { csv_path: target.csv_path, csv_sha256: csv.sha256() };
  return {
    result: { id, title, definition, sql, params, row_count, record_count: own.count, ...digest },
    sample: { columns, rows },
  };
}

async function addMembers(
  { store, scope, signal }: DrawContext,
  members: NonNullable<Population['members']>,
  { own, named }: { readonly own: IndexSet; readonly named: number },
): Promise<void> {
  for (const range of leafRanges(scope.tree_size)) {
    signal.throwIfAborted();
    const found = await store.read(members(scope, range), REPORT_READ_LIMITS);
    own.addAll(found.map(({ leaf_index }) => leaf_index));
  }
  if (own.count !== named) throw diverged('the rows of a population and its records do not agree');
}

interface CsvFile {
  write(rows: readonly PopulationRow[]): Promise<void>;
  close(): Promise<void>;
  /** Hex, of all that was written. */
  sha256(): string;
}

async function openCsv(file: string, columns: readonly string[]): Promise<CsvFile> {
  const handle = await open(file, 'wx');
  const hash = createHash('sha256');
  const append = async (text: string) => {
    hash.update(text);
    await handle.appendFile(text);
  };
  await append(csvLine(columns));
  return {
    write: (rows) => append(rows.map((row) => csvLine(columns.map((column) => row[column]))).join('')),
    close: () => handle.close(),
    sha256: () => hash.digest('hex'),
  };
}

async function* pagesOf(
  { store, scope, signal }: DrawContext,
  population: Population,
): AsyncGenerator<readonly PopulationRow[]> {
  let after: PopulationRow | undefined;
  for (;;) {
    signal.throwIfAborted();
    const page = await store.read(
      population.page(scope, { after, limit: ROWS_PER_PAGE }),
      REPORT_READ_LIMITS,
    );
    if (page.length > 0) yield page;
    if (page.length < ROWS_PER_PAGE) return;
    after = page.at(-1);
  }
}

export interface DrawnExceptions {
  readonly exceptions: readonly ControlException[];
  /** Its count includes exceptions that are not listed. */
  readonly rule: RuleResult;
}

/**
 * Runs one rule. At most LISTED_EXCEPTIONS are listed, and their records are added to the sets; all are counted.
 */
export async function drawExceptions(
  context: DrawContext,
  rule: ExceptionRule,
  sets: readonly IndexSet[],
): Promise<DrawnExceptions> {
  const query = rule.rows(context.scope, LISTED_EXCEPTIONS + 1);
  const rows = await context.store.read(query, REPORT_READ_LIMITS);
  const listed = rows.slice(0, LISTED_EXCEPTIONS);
  const indexes = await indexesOf(context, listed);
  for (const set of sets) set.addAll(indexes);
  const exceptions = listed.map(({ session_id, tool_use_id, record_ids }) => ({
    rule: rule.id,
    description: rule.description,
    session_id: session_id === '' ? null : session_id,
    tool_use_id: tool_use_id === '' ? null : tool_use_id,
    record_ids: [...record_ids],
  }));
  const isAll = listed.length === rows.length;
  const exception_count = isAll ? rows.length : await countAll(context, rule);
  const { id, description } = rule;
  return { exceptions, rule: { id, description, sql: query.sql, params: query.params, exception_count } };
}

async function countAll({ store, scope }: DrawContext, rule: ExceptionRule): Promise<number> {
  const all: Query<ExceptionRow> = rule.rows(scope, 0xffffffff);
  const query: Query<{ readonly row_count: number }> = {
    name: `${all.name}.count`,
    sql: `SELECT count() AS row_count FROM\n(\n${all.sql}\n)`,
    params: all.params,
  };
  const [counted] = await store.read(query, REPORT_READ_LIMITS);
  return counted?.row_count ?? 0;
}

/** Leaf indexes of the records that rows rest on. */
async function indexesOf(
  context: DrawContext,
  rows: readonly (PopulationRow | ExceptionRow)[],
): Promise<number[]> {
  const indexes: number[] = [];
  const ids = new Set<string>();
  for (const row of rows) {
    // A row of a single record has its leaf index as a column.
    const own = 'leaf_index' in row ? row['leaf_index'] : undefined;
    if (typeof own === 'number') indexes.push(own);
    else row.record_ids.forEach((id) => ids.add(id));
  }
  const wanted = [...ids];
  for (let at = 0; at < wanted.length; at += IDS_PER_LOOKUP) {
    const some = wanted.slice(at, at + IDS_PER_LOOKUP);
    const found = await context.store.read(indexesOfIds(context.scope, some), REPORT_READ_LIMITS);
    if (found.length !== some.length) throw diverged('a row names records that are not under the checkpoint');
    indexes.push(...found.map(({ leaf_index }) => leaf_index));
  }
  return indexes;
}

function indexesOfIds({ log, tree_size }: Scope, ids: readonly string[]): Query<LeafIndexRow> {
  return {
    name: 'indexes_of_ids',
    sql: `SELECT leaf_index FROM records
WHERE log = {log:String} AND leaf_index < {tree_size:UInt64} AND id IN {ids:Array(String)}`,
    params: { log, tree_size, ids },
  };
}
