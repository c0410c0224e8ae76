/**
 * The record store that all processes share. `insert` takes the steps of the adapter on ClickHouse, each a statement of
 * its own: look, insert what is not there, look again, insert anew what a remembered token kept out.
 */
import { PipelineError } from '../../schemas/errors.ts';
import {
  requireContiguous,
  toBlocks,
  type InsertBlock,
} from '../../store/records/clickhouse/insert-blocks.ts';
import type { Query, RecordRow, RecordStore } from '../../store/records/record-store.ts';
import { answerOfIds, memoryVersions } from '../support/memory-rows.ts';
import type { Mutant } from './mutants.ts';
import type { Caller, Scheduler } from './scheduler.ts';
import type { Looks, Moment, TableModel } from './table-model.ts';

/** As in the adapter. */
const MAX_LOSSES = 20;

export interface RowsWorld {
  readonly scheduler: Scheduler;
  readonly table: TableModel;
  readonly mutant: Mutant | undefined;
}

interface Look<T> {
  readonly found: T;
  readonly moment: Moment;
}

/** What one process sends to the table. */
interface Statements {
  look<T>(name: string, effect: () => T): Promise<Look<T>>;
  insert(unit: InsertBlock, looks: Looks): Promise<void>;
}

/** `looked` is told how often rows had been lost when the process asked what is there. */
export function openRowsModel(
  { scheduler, table, mutant }: RowsWorld,
  caller: Caller,
  looked: (losses: number) => void,
): RecordStore {
  const failure = 'STORE_UNAVAILABLE';
  const statements: Statements = {
    look: (name, effect) =>
      scheduler.call(caller, {
        name: `store ${name}`,
        failure,
        effect: () => ({ found: effect(), moment: table.moment() }),
      }),
    insert: (unit, looks) =>
      scheduler.call(caller, {
        name: 'store insert',
        failure,
        isWrite: true,
        effect: () => table.insert(unit, looks),
      }),
  };

  return {
    insert: async (log, rows, token) => {
      if (rows.length === 0) return;
      requireContiguous(log, rows);
      if (mutant === 'rows_inserted_blindly') return insertBlindly(statements, table, toBlocks(rows, token));
      await insertBundle(statements, table, { log, rows, token, looked });
    },
    size: async (log) => {
      const { found, moment } = await statements.look('size', () => table.unbroken(log));
      looked(moment.losses);
      return found;
    },
    versions: memoryVersions(),
    // Only the seen ids ask.
    read: async (query) => (await statements.look('ids', () => answerOf(table, query, mutant))).found,
    clear: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

function answerOf<Row>(table: TableModel, query: Query<Row>, mutant: Mutant | undefined): Row[] {
  const { below_index } = query.params;
  if (mutant === 'rows_not_asked_for_ids' && typeof below_index === 'number')
    return [{ row_count: below_index, found: [] }] as Row[];
  return answerOfIds(table.rows(), query);
}

interface Bundle {
  readonly log: string;
  readonly rows: readonly RecordRow[];
  readonly token: string;
  readonly looked: (losses: number) => void;
}

async function insertBundle(statements: Statements, table: TableModel, bundle: Bundle): Promise<void> {
  const { log, rows, token } = bundle;
  const first = rows[0]?.leaf_index ?? 0;
  const head = await statements.look('next index', () => table.nextIndex(log));
  bundle.looked(head.moment.losses);
  if (head.found < first) throw new PipelineError('STORE_UNAVAILABLE', `rows before ${first} are missing`);
  const find = () => statements.look('present', () => table.present(log, first, first + rows.length));
  const units = toBlocks(rows, token);
  const before = head.found === first ? { ...head, found: new Set<number>() } : await find();
  await insertMissing(statements, units, head.moment, before);
  let visible = await find();
  for (let loss = 1; visible.found.size < rows.length && loss <= MAX_LOSSES; loss += 1) {
    const renewed = units.map((unit) => ({ ...unit, token: `${unit.token} after loss ${loss}` }));
    await insertMissing(statements, renewed, head.moment, visible);
    visible = await find();
  }
  if (visible.found.size === rows.length) return;
  throw new PipelineError('STORE_UNAVAILABLE', 'rows are not visible after their insert');
}

async function insertMissing(
  statements: Statements,
  units: readonly InsertBlock[],
  began: Moment,
  { found, moment }: Look<ReadonlySet<number>>,
): Promise<void> {
  for (const unit of units) {
    const missing = unit.rows.filter(({ leaf_index }) => !found.has(leaf_index));
    const [first] = missing;
    if (first === undefined) continue;
    const token = missing.length === unit.rows.length ? unit.token : `${unit.token}@${first.leaf_index}`;
    await statements.insert({ rows: missing, token }, { began, last: moment });
  }
}

async function insertBlindly(statements: Statements, table: TableModel, units: readonly InsertBlock[]) {
  for (const unit of units) await statements.insert(unit, { began: table.moment(), last: table.moment() });
}
