/** A member's name as it stands in a JSON pointer (RFC 6901 section 3). */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Characters of a member name in a pointer to a place in a record or a body. A longer name is cut. */
const MAX_POINTER_NAME = 200;

/** A name in a pointer that is hashed: cut, so that the pointer stays small, and without lone surrogates. */
export function toShortSegment(name: string): string {
  return escapePointer(name.slice(0, MAX_POINTER_NAME).toWellFormed());
}

/** A JSON pointer from its segments. */
export function toPointer(path: readonly (string | number)[]): string {
  return path.map((segment) => `/${escapePointer(String(segment))}`).join('');
}
