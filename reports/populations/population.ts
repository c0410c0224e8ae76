import type { JsonValue } from '../../schemas/json.ts';
import { named } from '../../store/records/queries/tuples.ts';
import type { Query } from '../../store/records/record-store.ts';
import {
  scopeParams,
  type ExceptionRow,
  type ExceptionRule,
  type FigureRow,
  type Population,
  type PopulationRow,
  type Scope,
} from '../controls/control.ts';

/** Condition that every question of a package carries: one log, one published tree, one half-open period. */
export const IN_SCOPE = `log = {log:String}
  AND leaf_index < {tree_size:UInt64}
  AND received_at >= parseDateTime64BestEffort({from:String}, 3, 'UTC')
  AND received_at < parseDateTime64BestEffort({to:String}, 3, 'UTC')`;

/** IN_SCOPE without the period: records of a session may have arrived before or after it. */
export const IN_TREE = `log = {log:String}
  AND leaf_index < {tree_size:UInt64}`;

/** Ids of the records of a group that meet a condition, in log order. */
export function idsInLogOrder(condition: string): string {
  const entry = named({ leaf_index: ['leaf_index', 'UInt64'], id: ['id', 'String'] });
  return `arrayMap(entry -> entry.id, arraySort(groupUniqArrayIf(${entry}, ${condition})))`;
}

interface RecordPopulationOptions {
  readonly id: string;
  readonly title: string;
  readonly definition: string;
  /** SQL condition over one record. */
  readonly where: string;
  readonly columns: readonly string[];
}

/** A population of single records in log order. */
export function recordPopulation({ where, columns, ...described }: RecordPopulationOptions): Population {
  const members = ['leaf_index', 'received_at', ...columns];
  return {
    ...described,
    columns: [...members, 'record_ids'],
    page: (scope, { after, limit }) => ({
      name: `population.${described.id}`,
      sql: `SELECT ${members.join(', ')}, [id] AS record_ids
FROM records
WHERE ${IN_SCOPE}
  AND ${where}
  AND leaf_index >= {next_index:UInt64}
ORDER BY leaf_index
LIMIT {limit:UInt32}`,
      params: {
        ...scopeParams(scope),
        next_index: after === undefined ? 0 : Number(after['leaf_index']) + 1,
        limit,
      },
    }),
  };
}

interface GroupPopulationOptions {
  readonly id: string;
  readonly title: string;
  readonly definition: string;
  /** SQL condition over one record. */
  readonly where: string;
  /** Text columns that make up the key and the order. */
  readonly keys: readonly string[];
  /** Aggregates by column name, in CSV order. */
  readonly aggregates: Readonly<Record<string, string>>;
  /** Aggregate that gives the ids of the records a row rests on; by default all of the group. */
  readonly recordIds?: string;
}

/** A population of groups of records, for instance sessions, in the order of their key. */
export function groupPopulation(options: GroupPopulationOptions): Population {
  const { where, keys, aggregates, recordIds, ...described } = options;
  const ids = recordIds ?? idsInLogOrder('true');
  const selected = Object.entries(aggregates).map(([name, expression]) => `${expression} AS ${name}`);
  const placeholders = keys.map((key) => `{after_${key}:String}`);
  const sql = `SELECT ${keys.join(', ')},
  ${[...selected, `${ids} AS record_ids`].join(',\n  ')}
FROM records
WHERE ${IN_SCOPE}
  AND ${where}
  AND (${keys.join(', ')}) > (${placeholders.join(', ')})
GROUP BY ${keys.join(', ')}
ORDER BY ${keys.join(', ')}
LIMIT {limit:UInt32}`;
  return {
    ...described,
    columns: [...keys, ...Object.keys(aggregates), 'record_ids'],
    page: (scope, { after, limit }): Query<PopulationRow> => {
      const position = keys.map((key): [string, JsonValue] => [`after_${key}`, keyText(after?.[key])]);
      return {
        name: `population.${described.id}`,
        sql,
        params: { ...scopeParams(scope), ...Object.fromEntries(position), limit },
      };
    },
    ...(recordIds === undefined ? { members: allRecords(described.id, where) } : {}),
  };
}

function allRecords(id: string, where: string): NonNullable<Population['members']> {
  return (scope, { from_index, to_index }) => ({
    name: `members.${id}`,
    sql: `SELECT leaf_index
FROM records
WHERE ${IN_SCOPE}
  AND leaf_index >= {from_index:UInt64} AND leaf_index < {to_index:UInt64}
  AND ${where}`,
    params: { ...scopeParams(scope), from_index, to_index },
  });
}

function keyText(value: PopulationRow[string]): string {
  return typeof value === 'string' ? value : '';
}

interface RuleOptions {
  readonly id: string;
  readonly description: string;
  /** SELECT that gives session_id, tool_use_id and record_ids, without LIMIT. */
  readonly sql: string;
}

export function sqlRule({ id, description, sql }: RuleOptions): ExceptionRule {
  return {
    id,
    description,
    rows: (scope: Scope, limit: number): Query<ExceptionRow> => ({
      name: `exception.${id}`,
      sql: `${sql}\nLIMIT {limit:UInt32}`,
      params: { ...scopeParams(scope), limit },
    }),
  };
}

/** A rule with an exception for each record that meets a condition. */
export function recordRule(id: string, description: string, where: string): ExceptionRule {
  const sql = `SELECT session_id, tool_use_id, [id] AS record_ids
FROM records
WHERE ${IN_SCOPE}
  AND ${where}
ORDER BY leaf_index`;
  return sqlRule({ id, description, sql });
}

/** Counts by name over the records of a scope. */
export function groupedFigure(
  id: string,
  name: string,
  count: string,
  where: string,
): (scope: Scope) => Query<FigureRow> {
  return (scope) => ({
    name: `figure.${id}`,
    sql: `SELECT ${name} AS name, toString(${count}) AS value
FROM records
WHERE ${IN_SCOPE}
  AND ${where}
GROUP BY name
ORDER BY name`,
    params: scopeParams(scope),
  });
}

/** A rule with an exception for each tool call of which a record meets a condition. Records without a call form one exception. */
export function callRule(id: string, description: string, where: string): ExceptionRule {
  const sql = `SELECT session_id, tool_use_id, ${idsInLogOrder('true')} AS record_ids
FROM records
WHERE ${IN_SCOPE}
  AND ${where}
GROUP BY session_id, tool_use_id
ORDER BY session_id, tool_use_id`;
  return sqlRule({ id, description, sql });
}
