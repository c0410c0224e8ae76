/**
 * The `records` table as its engine keeps it. A statement is all or nothing; a token that the engine remembers makes an
 * insert a silent success, whatever became of the rows; it remembers only so many; a copy that is restored takes rows
 * and tokens back alike.
 */
import { PipelineError } from '../../schemas/errors.ts';
import type { InsertBlock } from '../../store/records/clickhouse/insert-blocks.ts';
import type { RecordRow } from '../../store/records/record-store.ts';
import type { Coverage } from './coverage.ts';
import type { Judge } from './judge.ts';
import type { Mutant } from './mutants.ts';

/** What had happened to the table when somebody looked at it. */
export interface Moment {
  readonly inserts: number;
  readonly restores: number;
  readonly losses: number;
}

/** When the caller of an insert began, and when it last looked. */
export interface Looks {
  readonly began: Moment;
  readonly last: Moment;
}

export interface TableModel {
  readonly rows: () => readonly RecordRow[];
  readonly moment: () => Moment;
  /** One past the largest index of a log. */
  nextIndex(log: string): number;
  present(log: string, from: number, to: number): Set<number>;
  /** Rows of a log without a hole before them. */
  unbroken(log: string): number;
  insert(unit: InsertBlock, looks: Looks): void;
  /** Keeps a copy that can be restored. */
  backUp(): void;
  restore(): void;
  empty(): void;
  /** The rows of one statement go, and its token stays: a part that was set aside. False if there is none. */
  loseUnit(choice: number): boolean;
}

export interface TableWorld {
  readonly judge: Pick<Judge, 'find'>;
  readonly coverage: Coverage;
  readonly mutant: Mutant | undefined;
  /** How many tokens it remembers. */
  readonly window: number;
}

interface Contents {
  readonly rows: readonly RecordRow[];
  /** Oldest first. */
  readonly tokens: readonly string[];
}

const EMPTY: Contents = { rows: [], tokens: [] };

export function createTableModel({ judge, coverage, mutant, window }: TableWorld): TableModel {
  let contents = EMPTY;
  let copy = EMPTY;
  let moment: Moment = { inserts: 0, restores: 0, losses: 0 };

  const replaceBy = (next: Contents) => {
    contents = next;
    moment = { ...moment, restores: moment.restores + 1, losses: moment.losses + 1 };
  };
  const indexesOf = (log: string) =>
    contents.rows.filter((row) => row.log === log).map(({ leaf_index }) => leaf_index);
  const present = (log: string, from: number, to: number) =>
    new Set(indexesOf(log).filter((index) => index >= from && index < to));

  /** What keeps tokens from protecting: both are limits that the documents state. */
  function requireTimely({ began, last }: Looks): void {
    const isLate = moment.inserts - last.inserts >= window && mutant !== 'slept_beyond_window';
    const isUnderRestore = moment.restores !== began.restores && mutant !== 'restored_under_insert';
    if (!isLate && !isUnderRestore) return;
    coverage.count('store insert given up');
    throw new PipelineError('STORE_UNAVAILABLE', 'the statement took too long');
  }

  return {
    rows: () => contents.rows,
    moment: () => moment,
    nextIndex: (log) => Math.max(-1, ...indexesOf(log)) + 1,
    present,
    unbroken(log) {
      const indexes = present(log, 0, Infinity);
      let size = 0;
      while (indexes.has(size)) size += 1;
      return size;
    },
    insert({ rows, token }, looks) {
      requireTimely(looks);
      moment = { ...moment, inserts: moment.inserts + 1 };
      if (contents.tokens.includes(token)) {
        coverage.count('insert dropped by its token');
        return;
      }
      const twice = rows.find(({ log, leaf_index }) => present(log, leaf_index, leaf_index + 1).size > 0);
      if (twice !== undefined) judge.find('twice', `row ${twice.leaf_index} is inserted a second time`);
      contents = {
        rows: [...contents.rows, ...rows],
        tokens: [...contents.tokens, token].slice(-window),
      };
    },
    backUp: () => void (copy = contents),
    restore: () => replaceBy(copy),
    empty: () => replaceBy(EMPTY),
    loseUnit(choice) {
      const at = contents.rows[choice % Math.max(contents.rows.length, 1)];
      if (at === undefined) return false;
      const isOfUnit = (row: RecordRow) =>
        row.log === at.log &&
        row.integrated_at === at.integrated_at &&
        row.retention_class === at.retention_class;
      contents = { ...contents, rows: contents.rows.filter((row) => !isOfUnit(row)) };
      moment = { ...moment, losses: moment.losses + 1 };
      return true;
    },
  };
}
