/** Milliseconds since the Unix epoch, UTC. Injected everywhere; only `app/context.ts` binds it to the machine's clock. */
export type Clock = () => number;

/** RFC 3339 instant in UTC with millisecond precision, as it is hashed and stored. */
export function toInstant(unixMs: number): string {
  return new Date(unixMs).toISOString();
}

/** The record store counts nanoseconds since 1970 in 64 bits, which ends in 2262. */
const LAST_STORED_MS = Date.parse('2262-01-01T00:00:00.000Z');

/** Whether a text is an instant as `toInstant` writes it, of a day that exists, in a year that the record store can hold. */
export function isOwnInstant(text: string): boolean {
  const unixMs = Date.parse(text);
  return unixMs >= 0 && unixMs < LAST_STORED_MS && toInstant(unixMs) === text;
}
