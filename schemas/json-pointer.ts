/** A member's name as it stands in a JSON pointer (RFC 6901 section 3). */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** A JSON pointer from its segments. */
export function toPointer(path: readonly (string | number)[]): string {
  return path.map((segment) => `/${escapePointer(String(segment))}`).join('');
}
