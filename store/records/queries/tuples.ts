/** SQL for tuples whose elements have names, so that no query reads an element by its place. */

/** The engine's types of the elements by name. */
type ElementTypes = Readonly<Record<string, string>>;

/** A tuple, from the expression and the type of each element. */
export function named(
  elements: Readonly<Record<string, readonly [expression: string, type: string]>>,
): string {
  const expressions = Object.values(elements).map(([expression]) => expression);
  const types = Object.fromEntries(Object.entries(elements).map(([name, [, type]]) => [name, type]));
  return cast(`(${expressions.join(', ')})`, tupleType(types));
}

/** Names for the elements of a tuple that an expression yields. */
export function withNames(tuple: string, types: ElementTypes): string {
  return cast(tuple, tupleType(types));
}

/** Names for the elements of each tuple of an array. */
export function withNamesInArray(array: string, types: ElementTypes): string {
  return cast(array, `Array(${tupleType(types)})`);
}

function tupleType(types: ElementTypes): string {
  const elements = Object.entries(types).map(([name, type]) => `${name} ${type}`);
  return `Tuple(${elements.join(', ')})`;
}

function cast(expression: string, type: string): string {
  return `CAST(${expression}, '${type.replaceAll("'", "\\'")}')`;
}
