import type { Clock } from '../../schemas/clock.ts';

export interface CacheLimits {
  readonly maxEntries: number;
  /** An entry is given until it is so old, counted from the moment before it was read from the store. */
  readonly maxAgeMs: number;
}

/** Remembers values for a while. Beyond its number of entries the one that was added first goes. */
export class TimedCache<T> {
  readonly #limits: CacheLimits;
  readonly #clock: Clock;
  readonly #entries = new Map<string, { readonly value: T; readonly readAtMs: number }>();
  #forgotten = 0;

  constructor(limits: CacheLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const ageMs = this.#clock() - entry.readAtMs;
    // A clock that was set back must not lengthen the life of an entry.
    if (ageMs >= 0 && ageMs < this.#limits.maxAgeMs) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** To be called before the store is read. A value that was read before a `forget` is not remembered after it. */
  begin(): (key: string, value: T) => void {
    const readAtMs = this.#clock();
    const forgotten = this.#forgotten;
    return (key, value) => {
      if (forgotten !== this.#forgotten) return;
      this.#entries.delete(key);
      this.#entries.set(key, { value, readAtMs });
      for (const oldest of this.#entries.keys()) {
        if (this.#entries.size <= this.#limits.maxEntries) break;
        this.#entries.delete(oldest);
      }
    };
  }

  /** Forgets the entries of these values. */
  forget(isGone: (value: T) => boolean): void {
    this.#forgotten += 1;
    for (const [key, { value }] of this.#entries) if (isGone(value)) this.#entries.delete(key);
  }
}
