/**
 * When the first waiting envelope of each partition was received. In: where each backlog begins. Out: times of receipt,
 * as the envelopes themselves say.
 */
import type { Clock } from '../../schemas/clock.ts';
import { decodeEnvelope } from '../framing.ts';
import type { Waiting } from './backpressure.ts';
import type { FetchedMessage, MessageReader } from './client.ts';
import { withDeadline } from './errors.ts';

export interface BacklogHeadsOptions {
  readonly messages: MessageReader;
  readonly topic: string;
  readonly clock: Clock;
  /** How long all partitions together may take. @default 3000 */
  readonly deadlineMs?: number;
}

/** The first envelope of a backlog, at the place where the backlog began when it was read. */
interface Head {
  readonly from: bigint;
  readonly receivedAt: string;
}

/** A partition whose first envelope is not read by then has no known age. */
const DEADLINE_MS = 3_000;

/**
 * A receiver's clock may be ahead of that of the process that asks by so much. If it was further ahead as the first
 * envelope came, envelopes behind it may be older by any time.
 */
const MAX_AHEAD_MS = 600_000;

export class BacklogHeads {
  readonly #options: BacklogHeadsOptions;
  /** By partition, so that a backlog that does not move is read once. Set by `#read`. */
  readonly #known = new Map<number, Head>();
  /** Reads under way, by partition and place: all callers wait for the same one. */
  readonly #reading = new Map<string, Promise<void>>();

  constructor(options: BacklogHeadsOptions) {
    this.#options = options;
  }

  /**
   * By partition. One that is left out is not known: its leader does not answer in time, the messages at its place hold
   * no envelope, or the first envelope says that it was received in the future. Never rejects.
   */
  async read(backlogs: readonly Waiting[]): Promise<ReadonlyMap<number, string>> {
    const { clock, deadlineMs = DEADLINE_MS } = this.#options;
    const reads = Promise.all(backlogs.map((backlog) => this.#readOnce(backlog)));
    await withDeadline(reads, deadlineMs, 'brokers').catch(() => undefined);
    const latestMs = clock() + MAX_AHEAD_MS;
    const found = new Map<number, string>();
    for (const { partition, from } of backlogs) {
      const head = this.#known.get(partition);
      if (head?.from !== from || Date.parse(head.receivedAt) > latestMs) continue;
      found.set(partition, head.receivedAt);
    }
    return found;
  }

  async #readOnce({ partition, from }: Waiting): Promise<void> {
    if (this.#known.get(partition)?.from === from) return;
    const name = `${partition} ${from}`;
    const reading = this.#reading.get(name) ?? this.#read(partition, from);
    this.#reading.set(name, reading);
    try {
      await reading;
    } catch {
      // Without an answer the age is not known.
    } finally {
      this.#reading.delete(name);
    }
  }

  async #read(partition: number, from: bigint): Promise<void> {
    const { messages, topic } = this.#options;
    const receivedAt = firstReceipt(await messages.readFrom({ topic, partition, from }));
    if (receivedAt !== undefined) this.#known.set(partition, { from, receivedAt });
  }
}

/** Messages of other programs may lie before the first envelope. No MAC is compared: a process that asks has no key. */
function firstReceipt(messages: readonly FetchedMessage[]): string | undefined {
  for (const { value, offset } of messages) {
    try {
      if (value !== null) return decodeEnvelope(value, offset).received_at;
    } catch {
      // The sequencer keeps it as a dead letter.
    }
  }
  return undefined;
}
