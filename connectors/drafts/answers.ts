/** How a receiver answers a body that is durable. */
import { countUnsound } from '../wire/body.ts';
import type { OtlpSignal } from '../wire/otlp/descriptor.ts';
import { encodeExportResponse } from '../wire/otlp/export-response.ts';
import type { ReadBody } from './source.ts';

export interface Reply {
  readonly contentType: string;
  readonly body: Buffer;
}

export interface Answer {
  /** For people. */
  readonly description: string;
  readonly toReply: (read: ReadBody, contentType: string) => Reply;
}

/** A hook client would take any member for a decision about the tool call that waits for the answer. */
export const EMPTY_OBJECT: Answer = { description: '`{}`', toReply: () => jsonReply({}) };

/** Allows a request to a model. Like every answer, it is sent after the event log has the request. */
export const ALLOW: Answer = {
  description: '`{"action": "allow"}`',
  toReply: () => jsonReply({ action: 'allow' }),
};

/**
 * The number of accepted items as the sender counts them, and the items that were kept in quarantine. An entry that
 * stands for several items has their number as `items`, so that both add up to the items that were sent.
 */
export const COUNTED_ITEMS: Answer = {
  description: '`accepted`, `quarantined`',
  toReply: ({ itemCount, problems }) =>
    jsonReply({
      accepted: itemCount - countUnsound(problems),
      quarantined: problems.map(({ index, reason, pointer, item_count }) =>
        item_count === 1 ? { index, reason, pointer } : { index, items: item_count, reason, pointer },
      ),
    }),
};

/**
 * The export response of OTLP, in the encoding of the request. Quarantined items are reported as rejected, so that the
 * client's own counters show them, though none is lost.
 */
export function exportResponse(signal: OtlpSignal): Answer {
  return {
    description: 'OTLP export response',
    toReply: ({ itemCount, problems }, contentType) => {
      const [first] = problems;
      const count = countUnsound(problems);
      const message =
        first === undefined
          ? ''
          : `${count} of ${itemCount} items were kept in quarantine, the others accepted; ` +
            `first: ${first.reason} at ${first.pointer === '' ? 'the whole body' : first.pointer}; do not resend`;
      const encoding = contentType === 'application/x-protobuf' ? contentType : 'application/json';
      return encodeExportResponse(signal, encoding, { count, message });
    },
  };
}

function jsonReply(document: object): Reply {
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(document)) };
}
