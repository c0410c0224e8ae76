/** The earliest time of receipt in a row of entries that grows at its end and shrinks at its front. Pure. */

/** Entries that were read so far, and their bytes. */
export interface Extent {
  readonly entries: number;
  readonly bytes: number;
}

/** An entry that holds an envelope. */
export interface Received {
  readonly key: number;
  readonly receivedMs: number;
  readonly before: Extent;
}

/**
 * Entries of which none has an earlier one behind it. The first of them was received first; a later entry of the stretch
 * was received in the same second.
 */
export interface Stretch {
  readonly first: Received;
  readonly lastKey: number;
}

/** Bounds of the entries from the first to the last of a stretch, so that they can be read again at once. */
export const STRETCH_MAX_ENTRIES = 2000;
/** The same bound in bytes; entries are read in slices of this size, between which other work has its turn. */
export const STRETCH_MAX_BYTES = 8 * 1024 * 1024;

/**
 * Keeps those entries that are earlier than all behind them: one of them is the earliest when the entries before it are
 * gone. Entries of one second share a stretch, so a backlog of days takes little room. Where the first entry of the first
 * stretch is gone, the caller reads the rest of that stretch again and puts it in its place.
 */
export class BacklogMinima {
  /** Rising, both in key and in time of receipt. Elements before `#start` are gone. */
  #stretches: Stretch[] = [];
  #start = 0;

  /** The stretch with the earliest entry. */
  get front(): Stretch | undefined {
    return this.#stretches[this.#start];
  }

  get length(): number {
    return this.#stretches.length - this.#start;
  }

  /** Keys rise from call to call. */
  push(received: Received): void {
    let last = this.#last();
    while (last !== undefined && last.first.receivedMs >= received.receivedMs) {
      this.#stretches.pop();
      last = this.#last();
    }
    if (last !== undefined && isOneStretch(last.first, received)) {
      this.#stretches[this.#stretches.length - 1] = { first: last.first, lastKey: received.key };
    } else {
      this.#stretches.push({ first: received, lastKey: received.key });
    }
  }

  /** Forgets the stretches that end before a key. */
  dropBefore(key: number): void {
    for (let front = this.front; front !== undefined && front.lastKey < key; front = this.front) {
      this.#start += 1;
    }
    if (this.#start > this.#stretches.length / 2) {
      this.#stretches = this.#stretches.slice(this.#start);
      this.#start = 0;
    }
  }

  /** Puts the entries of the first stretch that are left into its place, as they were read again. */
  replaceFront(left: readonly Received[]): void {
    const exact: Received[] = [];
    for (const received of left) {
      while ((exact.at(-1)?.receivedMs ?? -1) >= received.receivedMs) exact.pop();
      exact.push(received);
    }
    const rest = this.#stretches.slice(this.#start + 1);
    this.#stretches = exact.map((first) => ({ first, lastKey: first.key })).concat(rest);
    this.#start = 0;
  }

  #last(): Stretch | undefined {
    return this.length > 0 ? this.#stretches.at(-1) : undefined;
  }
}

function isOneStretch(first: Received, received: Received): boolean {
  return (
    Math.floor(first.receivedMs / 1000) === Math.floor(received.receivedMs / 1000) &&
    received.before.entries - first.before.entries < STRETCH_MAX_ENTRIES &&
    received.before.bytes - first.before.bytes <= STRETCH_MAX_BYTES
  );
}
