import type { JsonValue } from '../../../schemas/json.ts';

/** A part of a WHERE clause with the values of its placeholders; values never enter the text. */
export interface Condition {
  readonly sql: string;
  readonly params: Readonly<Record<string, JsonValue>>;
}

/** The condition of a value that is given, else none. */
export function given<T extends JsonValue>(
  value: T | undefined,
  toCondition: (value: T) => Condition,
): Condition[] {
  return value === undefined ? [] : [toCondition(value)];
}

/** Equality of a text column with a placeholder of the same name. */
export function equals(column: string, value: string | undefined): Condition[] {
  return given(value, (text) => ({ sql: `${column} = {${column}: String}`, params: { [column]: text } }));
}

/** `WHERE a AND b`, or nothing where there are no conditions. */
export function where(conditions: readonly Condition[]): string {
  return clause('WHERE', conditions);
}

/** `HAVING a AND b`, or nothing where there are no conditions. */
export function having(conditions: readonly Condition[]): string {
  return clause('HAVING', conditions);
}

function clause(keyword: string, conditions: readonly Condition[]): string {
  return conditions.length === 0 ? '' : `${keyword} ${conditions.map(({ sql }) => sql).join('\n  AND ')}`;
}

/** Values of several conditions together. Placeholders of one query have different names or the same value. */
export function paramsOf(...conditions: readonly (readonly Condition[])[]): Record<string, JsonValue> {
  return Object.fromEntries(conditions.flat().flatMap(({ params }) => Object.entries(params)));
}

/** Removes the empty lines that absent conditions leave in the text of a query. */
export function tidy(sql: string): string {
  return sql
    .split('\n')
    .filter((line) => line.trim() !== '')
    .join('\n');
}
