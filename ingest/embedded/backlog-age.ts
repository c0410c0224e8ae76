/** How much waits in the embedded event log, and since when. */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Lag } from '../event-log.ts';
import { decodeEnvelope } from '../framing.ts';
import {
  BacklogMinima,
  STRETCH_MAX_BYTES,
  STRETCH_MAX_ENTRIES,
  type Extent,
  type Received,
  type Stretch,
} from './backlog-minima.ts';
import type { BinaryDatabase, Environment } from './environment.ts';
import { readState, toStoredKey, toStoredNumber, type LogState } from './state.ts';

interface BacklogStorage {
  readonly environment: Environment;
  readonly entries: BinaryDatabase;
  readonly meta: BinaryDatabase;
}

/** A backlog of millions that this process has not read yet takes longer; reading goes on after the answer. */
const DEADLINE_MS = 3_000;

/** Entries read in one turn of the event loop. */
interface Slice {
  readonly received: readonly Received[];
  /** Key behind the last entry that was read. */
  readonly end: number;
  readonly isLast: boolean;
}

/**
 * Reads each entry once, in slices that let other work have its turn, and goes on there at the next call. An entry that
 * holds no envelope is passed over. One handle of the log has one.
 */
export class BacklogAge {
  readonly #storage: BacklogStorage;
  readonly #deadlineMs: number;
  #minima = new BacklogMinima();
  /** Key from which on no entry was read yet. */
  #unread = 0;
  #read: Extent = { entries: 0, bytes: 0 };
  /** Settles when the call before has ended: calls follow one another. */
  #turn: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor(storage: BacklogStorage, deadlineMs = DEADLINE_MS) {
    this.#storage = storage;
    this.#deadlineMs = deadlineMs;
  }

  /** As `EventLog.lag`. The counts and the age are those of one moment; at the deadline it answers without the age. */
  async lag(): Promise<Lag> {
    const answered = this.#turn.then(() => this.#answer());
    this.#turn = answered.catch(() => undefined);
    const late = new AbortController();
    try {
      const counts = delay(this.#deadlineMs, undefined, { signal: late.signal }).then(() => this.#counts());
      counts.catch(() => undefined);
      return await Promise.race([answered, counts]);
    } finally {
      late.abort();
    }
  }

  /** Resolves when nothing is read any more. A call that had not read everything yet answers without the age. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#turn;
  }

  #counts(): Lag {
    const { environment, meta } = this.#storage;
    environment.refresh();
    const { envelopes, bytes } = readState(meta);
    return { envelopes, bytes };
  }

  async #answer(): Promise<Lag> {
    let lag = this.#step();
    while (lag === undefined) {
      await nextTurn();
      lag = this.#step();
    }
    return lag;
  }

  /** One slice, in one snapshot of the log. Undefined where more is to be read. */
  #step(): Lag | undefined {
    const { environment, entries, meta } = this.#storage;
    environment.refresh();
    const state = readState(meta);
    const { envelopes, bytes } = state;
    const firstKey = firstKeyOf(entries);
    if (this.#isStopped || firstKey === undefined) {
      this.#forget();
      return { envelopes, bytes };
    }
    this.#followRemovals(state, firstKey);
    if (!this.#readOn(state)) return undefined;
    const { front } = this.#minima;
    if (front === undefined) return { envelopes, bytes };
    if (front.first.key < firstKey) {
      this.#readAgain(front, firstKey);
      return undefined;
    }
    // Somebody removed it from among the others.
    if (!entries.doesExist(toStoredKey(BigInt(front.first.key)))) {
      this.#forget();
      return undefined;
    }
    return { envelopes, bytes, oldestReceivedAt: toInstant(front.first.receivedMs) };
  }

  #followRemovals({ next, shift }: LogState, firstKey: number): void {
    // Somebody set the next offset back: entries may lie at keys that were read before.
    if (Number(next - shift) < this.#unread) this.#forget();
    this.#minima.dropBefore(firstKey);
    this.#unread = Math.max(this.#unread, Math.min(firstKey, Number(next - shift)));
  }

  /** Whether everything is read. Entries behind the next offset were put there by others, and are left out. */
  #readOn({ next, shift }: LogState): boolean {
    const slice = this.#readSlice(this.#unread, Number(next - shift) - 1);
    for (const received of slice.received) this.#minima.push(received);
    this.#unread = slice.end;
    return slice.isLast;
  }

  #readAgain({ first, lastKey }: Stretch, firstKey: number): void {
    const slice = this.#readSlice(firstKey, lastKey);
    // A stretch is not longer than a slice, unless somebody added entries among the others.
    if (!slice.isLast) this.#forget();
    // The stretches that begin with these entries must not become longer than it was.
    else this.#minima.replaceFront(slice.received.map((received) => ({ ...received, before: first.before })));
  }

  #readSlice(fromKey: number, lastKey: number): Slice {
    const received: Received[] = [];
    let [count, size, end] = [0, 0, fromKey];
    for (const { key, value } of this.#storage.entries.getRange({ start: toStoredKey(BigInt(fromKey)) })) {
      const stored = toStoredNumber(key);
      if (stored === undefined) continue;
      if (stored > lastKey) break;
      if (count >= STRETCH_MAX_ENTRIES || size > STRETCH_MAX_BYTES) return { received, end, isLast: false };
      const receivedMs = receiptOf(value);
      const before = this.#read;
      if (receivedMs !== undefined) received.push({ key: stored, receivedMs, before });
      this.#read = { entries: before.entries + 1, bytes: before.bytes + value.length };
      count += 1;
      size += value.length;
      end = stored + 1;
    }
    return { received, end, isLast: true };
  }

  #forget(): void {
    this.#minima = new BacklogMinima();
    this.#unread = 0;
  }
}

function firstKeyOf(entries: BinaryDatabase): number | undefined {
  for (const key of entries.getKeys({ limit: 1 })) return toStoredNumber(key) ?? 0;
  return undefined;
}

/** Undefined for an entry that will be a dead letter. No MAC is compared. */
function receiptOf(frame: Buffer): number | undefined {
  try {
    return Date.parse(decodeEnvelope(frame, 0n).received_at);
  } catch (error) {
    if (error instanceof PipelineError) return undefined;
    throw error;
  }
}
