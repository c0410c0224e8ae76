import type { ErrorCode } from '../../schemas/errors.ts';

/** Counts of the receivers since they started, as plain numbers. `api/metrics.ts` makes metrics of them. */
export interface ReceiverCounters {
  /** Requests, refused ones included, also those that no route took. */
  requests: number;
  /** Items of acknowledged requests; `quarantinedItems` of them are kept in quarantine. */
  items: number;
  quarantinedItems: number;
  /** Inflated body bytes of acknowledged requests. */
  bytes: number;
  /** Inflated body bytes now held in memory. */
  inFlightBytes: number;
  /** Refused requests by error code. */
  readonly refused: Partial<Record<ErrorCode, number>>;
  /** Items of acknowledged requests by source; a source without any is absent. */
  readonly itemsBySource: Record<string, number>;
}

export function createReceiverCounters(): ReceiverCounters {
  return {
    requests: 0,
    items: 0,
    quarantinedItems: 0,
    bytes: 0,
    inFlightBytes: 0,
    refused: {},
    itemsBySource: {},
  };
}
