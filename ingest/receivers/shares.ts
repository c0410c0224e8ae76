import { PipelineError } from '../../schemas/errors.ts';
import type { OnBytes } from './body.ts';
import type { ReceiverCounters } from './counters.ts';

/** Limits of what is held at once, so that one sender cannot crowd out the others. */
export interface ShareLimits {
  /** Body bytes held by all requests together. */
  readonly maxInFlightBytes: number;
  /** Of these, by the requests of one collector. */
  readonly maxInFlightPerCollectorBytes: number;
  /** Requests of one collector between their credential and their answer. */
  readonly maxRequestsInFlightPerCollector: number;
  /** Of these, by the requests that one connection sends without waiting for answers. */
  readonly maxRequestsInFlightPerConnection: number;
}

/** The bytes that one request holds. */
export interface Share {
  /** Throws COLLECTOR_PUSHBACK beyond the collector's bytes and LOG_PUSHBACK beyond the bytes of all. */
  readonly take: OnBytes;
  /** Counts bytes that were made of those taken. They are never refused, but leave less room for later requests. */
  readonly add: OnBytes;
  /** Gives all of it back; to be called once. */
  readonly release: () => void;
}

interface Held {
  requests: number;
  bytes: number;
}

/**
 * Counts requests and bytes in flight: in all, by collector and by connection. `enter` throws COLLECTOR_PUSHBACK for
 * one request too many.
 */
export function createShares(
  limits: ShareLimits,
  counters: ReceiverCounters,
): { enter(collector: string, connection: object): Share } {
  const heldBy = new Map<string, Held>();
  const requestsOn = new WeakMap<object, number>();
  return {
    enter(collector, connection) {
      const onConnection = requestsOn.get(connection) ?? 0;
      if (onConnection >= limits.maxRequestsInFlightPerConnection) {
        throw new PipelineError('COLLECTOR_PUSHBACK', 'the connection has too many requests in flight');
      }
      const held = heldBy.get(collector) ?? { requests: 0, bytes: 0 };
      if (held.requests >= limits.maxRequestsInFlightPerCollector) {
        throw new PipelineError('COLLECTOR_PUSHBACK', 'the collector has too many requests in flight');
      }
      held.requests += 1;
      heldBy.set(collector, held);
      requestsOn.set(connection, onConnection + 1);
      let taken = 0;
      const add: OnBytes = (count) => {
        taken += count;
        held.bytes += count;
        counters.inFlightBytes += count;
      };
      return {
        add,
        take(count) {
          if (held.bytes + count > limits.maxInFlightPerCollectorBytes) {
            throw new PipelineError('COLLECTOR_PUSHBACK', 'the collector has too many body bytes in flight');
          }
          if (counters.inFlightBytes + count > limits.maxInFlightBytes) {
            throw new PipelineError('LOG_PUSHBACK', 'too many body bytes in flight');
          }
          add(count);
        },
        release() {
          requestsOn.set(connection, (requestsOn.get(connection) ?? 1) - 1);
          held.requests -= 1;
          held.bytes -= taken;
          counters.inFlightBytes -= taken;
          if (held.requests === 0) heldBy.delete(collector);
        },
      };
    },
  };
}
