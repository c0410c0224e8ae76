/** Milliseconds since the Unix epoch, UTC. Injected everywhere; only `app/app.ts` binds it to the machine's clock. */
export type Clock = () => number;

/** RFC 3339 instant in UTC with millisecond precision, as it is hashed and stored. */
export function toInstant(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
