/**
 * Decides when to refuse. In: the ends and commits that the brokers report, and this process's own appends. Out: refusals
 * and the lag.
 *
 * The brokers count envelopes, not bytes, and do not know their collectors. So the bytes of the backlog are an estimate
 * from the sizes seen in this process, and the share of a collector is one of the bytes in flight in this process.
 */
import { PipelineError } from '../../schemas/errors.ts';
import type { KafkaLimits } from './options.ts';

/** One append on its way. */
export interface Load {
  readonly collector: string;
  readonly envelopes: number;
  readonly bytes: number;
}

/** Offsets of one partition, as far as this process knows. */
export interface Marks {
  /** Offset after the last message. */
  readonly end: bigint;
  /** Offset before which everything was acknowledged or removed. */
  readonly done: bigint;
}

/** Messages of one partition that are not acknowledged. */
export interface Waiting {
  readonly partition: number;
  /** Offset of the first of them. */
  readonly from: bigint;
  readonly envelopes: number;
}

interface Amount {
  envelopes: number;
  bytes: number;
}

/** Bytes of envelopes that wait for the brokers at most; beyond them appends are refused. */
export const DEFAULT_MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024;
/** Size of an envelope where none was seen yet. */
const ASSUMED_BYTES = 2048;
/** Sizes are averaged over about so many of the latest envelopes. */
const AVERAGED_ENVELOPES = 10_000;

export class Backpressure {
  readonly #limits: KafkaLimits;
  readonly #maxInFlightBytes: number;
  readonly #maxCollectorBytes: number;
  /** By partition. Raised by `learn`. */
  readonly #marks = new Map<number, Marks>();
  /** Loads that were admitted and not released, and their bytes by collector. Changed by `#count`. */
  readonly #inFlight: Amount = { envelopes: 0, bytes: 0 };
  readonly #collectorBytes = new Map<string, number>();
  /** The latest envelopes, for their mean size. Changed by `measure`. */
  readonly #measured: Amount = { envelopes: 0, bytes: 0 };

  constructor(limits: KafkaLimits) {
    this.#limits = limits;
    this.#maxInFlightBytes = limits.maxInFlightBytes ?? DEFAULT_MAX_IN_FLIGHT_BYTES;
    this.#maxCollectorBytes = (this.#maxInFlightBytes * (limits.maxPerCollectorPercent ?? 100)) / 100;
  }

  /**
   * Counts the load as in flight until the returned function is called. Throws LOG_PUSHBACK or COLLECTOR_PUSHBACK, and
   * BODY_TOO_LARGE for a load that could never be admitted.
   */
  admit(load: Load): () => void {
    const refusal = this.#refusalOf(load);
    if (refusal !== undefined) throw refusal;
    this.#count(load, 1);
    return () => this.#count(load, -1);
  }

  /** Marks only rise, so a report that comes late changes nothing. */
  learn(partition: number, { end = 0n, done = 0n }: Partial<Marks>): void {
    const known = this.#marks.get(partition) ?? { end: 0n, done: 0n };
    this.#marks.set(partition, {
      end: end > known.end ? end : known.end,
      done: done > known.done ? done : known.done,
    });
  }

  /** Takes in the size of envelopes that went through this process. */
  measure(envelopes: number, bytes: number): void {
    const measured = this.#measured;
    measured.envelopes += envelopes;
    measured.bytes += bytes;
    if (measured.envelopes <= AVERAGED_ENVELOPES) return;
    measured.envelopes /= 2;
    measured.bytes /= 2;
  }

  lag(): Readonly<Amount> {
    const waiting = this.waiting().reduce((sum, { envelopes }) => sum + envelopes, 0);
    const { envelopes, bytes } = this.#measured;
    const meanBytes = envelopes === 0 ? ASSUMED_BYTES : bytes / envelopes;
    return { envelopes: waiting, bytes: Math.round(waiting * meanBytes) };
  }

  /** Of each partition that has a backlog, in order. */
  waiting(): readonly Waiting[] {
    const found: Waiting[] = [];
    for (const [partition, { end, done }] of this.#marks) {
      if (end > done) found.push({ partition, from: done, envelopes: Number(end - done) });
    }
    return found.sort((one, other) => one.partition - other.partition);
  }

  #refusalOf({ collector, envelopes, bytes }: Load): PipelineError | undefined {
    const backlog = this.lag();
    const inFlight = this.#inFlight;
    if (envelopes > this.#limits.maxBacklogEnvelopes || bytes > this.#limits.maxBacklogBytes) {
      const detail = `a request of ${bytes} bytes is larger than the event log takes when it is empty`;
      return new PipelineError('BODY_TOO_LARGE', detail);
    }
    const isFull =
      backlog.envelopes + inFlight.envelopes + envelopes > this.#limits.maxBacklogEnvelopes ||
      backlog.bytes + inFlight.bytes + bytes > this.#limits.maxBacklogBytes;
    if (isFull) return new PipelineError('LOG_PUSHBACK', 'event log backlog is full');
    // A load that comes alone always goes, or an envelope beyond the limit could never be sent.
    if (inFlight.bytes > 0 && inFlight.bytes + bytes > this.#maxInFlightBytes) {
      return new PipelineError('LOG_PUSHBACK', 'too many bytes wait for the brokers');
    }
    const ofCollector = this.#collectorBytes.get(collector) ?? 0;
    if (ofCollector > 0 && ofCollector + bytes > this.#maxCollectorBytes) {
      return new PipelineError('COLLECTOR_PUSHBACK', 'the collector fills its share of the bytes in flight');
    }
    return undefined;
  }

  #count({ collector, envelopes, bytes }: Load, sign: 1 | -1): void {
    this.#inFlight.envelopes += sign * envelopes;
    this.#inFlight.bytes += sign * bytes;
    const left = (this.#collectorBytes.get(collector) ?? 0) + sign * bytes;
    if (left > 0) this.#collectorBytes.set(collector, left);
    else this.#collectorBytes.delete(collector);
  }
}
