import { OTLP_CONNECTORS } from '../../connectors/sources/otlp/otlp.ts';
import { exportResponse, type OtlpEncoding, type OtlpSignal } from './otlp-response.ts';
import type { Reading, Received } from './reading.ts';

/**
 * An OTLP/HTTP export request in either encoding. Items that cannot be sealed as what they claim are reported as
 * rejected, so that a client's own counters tell of them, though none is lost.
 */
export function readOtlp(signal: OtlpSignal, reading: Reading): Received {
  const { itemCount, problems, units } = OTLP_CONNECTORS[signal].survey({
    ...reading.toHeader(0),
    body: reading.body,
  });
  const [first] = problems;
  const message =
    first === undefined
      ? ''
      : `${problems.length} of ${units?.length ?? itemCount} items were kept in quarantine, the others accepted; ` +
        `first: ${first.reason} at ${first.pointer === '' ? 'the whole body' : first.pointer}; do not resend`;
  const rejected = { count: problems.length, message };
  return {
    itemCount,
    quarantinedUnits: problems.map(({ unit_pointer }) => unit_pointer),
    ...(units === undefined ? {} : { units }),
    reply: exportResponse(signal, otlpEncodingOf(reading.contentType), rejected),
  };
}

/** Answers go out in the encoding of the request, and in JSON where that is not known. */
export function otlpEncodingOf(contentType: string): OtlpEncoding {
  return contentType === 'application/x-protobuf' ? contentType : 'application/json';
}
