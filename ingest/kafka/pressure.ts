/**
 * When to refuse. In: what the brokers tell of ends and commits, and what this process does. Out: refusals, and the lag.
 *
 * The brokers count envelopes, not bytes, and nobody can tell whose they are: the bytes of the backlog are an estimate
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

/** What the brokers hold of one partition, as far as known. */
export interface Marks {
  /** Offset after the last message. */
  readonly end: bigint;
  /** Offset up to which all was acknowledged, or was never there. */
  readonly done: bigint;
}

export interface Pressure {
  /** Counts the load as in flight until the returned function is called. Throws LOG_PUSHBACK or COLLECTOR_PUSHBACK. */
  admit(load: Load): () => void;
  /** Marks only rise, so news that comes late changes nothing. */
  learn(partition: number, marks: Partial<Marks>): void;
  /** Sizes of envelopes that went through this process. */
  measure(envelopes: number, bytes: number): void;
  lag(): { readonly envelopes: number; readonly bytes: number };
}

const DEFAULT_MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024;
/** Size of an envelope where none was seen yet. */
const ASSUMED_BYTES = 2048;
/** Sizes are averaged over about so many of the latest envelopes. */
const AVERAGED_ENVELOPES = 10_000;

export function createPressure(limits: KafkaLimits): Pressure {
  const maxInFlightBytes = limits.maxInFlightBytes ?? DEFAULT_MAX_IN_FLIGHT_BYTES;
  const shareBytes = (maxInFlightBytes * (limits.maxPerCollectorPercent ?? 100)) / 100;
  const marks = new Map<number, Marks>();
  const held = new Map<string, number>();
  const inFlight = { envelopes: 0, bytes: 0 };
  const seen = { envelopes: 0, bytes: 0 };

  function lag(): { envelopes: number; bytes: number } {
    let waiting = 0n;
    for (const { end, done } of marks.values()) if (end > done) waiting += end - done;
    const mean = seen.envelopes === 0 ? ASSUMED_BYTES : seen.bytes / seen.envelopes;
    return { envelopes: Number(waiting), bytes: Math.round(Number(waiting) * mean) };
  }

  function refusalOf({ collector, envelopes, bytes }: Load): PipelineError | undefined {
    const backlog = lag();
    const passes =
      backlog.envelopes + inFlight.envelopes + envelopes > limits.maxBacklogEnvelopes ||
      backlog.bytes + inFlight.bytes + bytes > limits.maxBacklogBytes;
    if (passes) return new PipelineError('LOG_PUSHBACK', 'event log backlog is full');
    // What comes alone always goes, or an envelope beyond the limit could never be sent.
    if (inFlight.bytes > 0 && inFlight.bytes + bytes > maxInFlightBytes) {
      return new PipelineError('LOG_PUSHBACK', 'too much waits for the brokers');
    }
    const ofCollector = held.get(collector) ?? 0;
    if (ofCollector > 0 && ofCollector + bytes > shareBytes) {
      return new PipelineError('COLLECTOR_PUSHBACK', 'the collector fills its share of what is in flight');
    }
    return undefined;
  }

  function change({ collector, envelopes, bytes }: Load, sign: 1 | -1): void {
    inFlight.envelopes += sign * envelopes;
    inFlight.bytes += sign * bytes;
    const left = (held.get(collector) ?? 0) + sign * bytes;
    if (left > 0) held.set(collector, left);
    else held.delete(collector);
  }

  return {
    admit(load) {
      const refusal = refusalOf(load);
      if (refusal !== undefined) throw refusal;
      change(load, 1);
      return () => change(load, -1);
    },
    learn(partition, { end = 0n, done = 0n }) {
      const known = marks.get(partition) ?? { end: 0n, done: 0n };
      marks.set(partition, {
        end: end > known.end ? end : known.end,
        done: done > known.done ? done : known.done,
      });
    },
    measure(envelopes, bytes) {
      seen.envelopes += envelopes;
      seen.bytes += bytes;
      if (seen.envelopes <= AVERAGED_ENVELOPES) return;
      seen.envelopes /= 2;
      seen.bytes /= 2;
    },
    lag,
  };
}
