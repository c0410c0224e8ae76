import type { Condition } from './conditions.ts';
import { given } from './conditions.ts';

/** Bounds of what the engine's instants can hold; a bound beyond them means the same as these. */
const EARLIEST = '1900-01-01T00:00:00Z';
const LATEST = '2262-01-01T00:00:00Z';

/** The engine's types of instants: of the source's clock, and of our own clocks. */
export const NANOSECONDS = `DateTime64(9, 'UTC')`;
export const MILLISECONDS = `DateTime64(3, 'UTC')`;

/** SQL for when an event happened: by the source's clock, and where it gave none, by when it was received. */
export const OBSERVED_AT = `coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC'))`;

/** SQL for the instant in a placeholder of type String. */
export function instantParam(name: string, digits: 3 | 9): string {
  return `parseDateTime64BestEffort({${name}: String}, ${digits}, 'UTC')`;
}

/**
 * SQL for an instant of nanoseconds as RFC 3339 text, three to nine fraction digits, as facts spell it.
 * NULL stays NULL.
 */
export function instantText(expression: string): string {
  return `replaceRegexpOne(replaceOne(toString(${expression}), ' ', 'T'), '0{0,6}$', 'Z')`;
}

/** Half-open interval [from, to) on a clock; either end may be open. */
export interface Interval {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Conditions for an interval on received_at, by placeholders `from` and `to`, or with a prefix before them. */
export function receivedWithin({ from, to }: Interval, prefix = ''): Condition[] {
  return within('received_at', { from, to }, { prefix, digits: 3 });
}

/** Conditions for an interval on the source's own clock; records without one are outside. */
export function occurredWithin({ from, to }: Interval, prefix: string): Condition[] {
  return within('occurred_at', { from, to }, { prefix, digits: 9 });
}

/** Conditions for an interval on any expression of an instant. */
export function within(
  expression: string,
  { from, to }: Interval,
  { prefix, digits }: { readonly prefix: string; readonly digits: 3 | 9 },
): Condition[] {
  const bound = (operator: string, name: string) => (text: string) => ({
    sql: `${expression} ${operator} ${instantParam(`${prefix}${name}`, digits)}`,
    params: { [`${prefix}${name}`]: clampInstant(text) },
  });
  return [...given(from, bound('>=', 'from')), ...given(to, bound('<', 'to'))];
}

function clampInstant(text: string): string {
  // Instants with Z and four-digit years order as text up to the second, which is all that the ends need.
  if (text < EARLIEST) return EARLIEST;
  return text > LATEST ? LATEST : text;
}
