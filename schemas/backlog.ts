/** Envelopes that the event log holds and no bundle does; `unknown` where the event log does not answer. */
export type Backlog =
  'unknown' | { readonly envelopes: number; readonly oldestReceivedAt?: string | undefined };

/** Asks the event log. Never rejects. */
export type ReadBacklog = () => Promise<Backlog>;
