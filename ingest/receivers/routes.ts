import type { EnvelopeHeader, EnvelopeSource } from '../../schemas/envelope.ts';
import { readHook } from './hook.ts';
import { readNative } from './native.ts';
import { readOtlp } from './otlp.ts';
import type { OtlpSignal } from './otlp-response.ts';
import type { Reading, Received } from './reading.ts';

/** One ingest route: what it takes and how its body is read. */
export interface IngestRoute {
  readonly url: string;
  readonly source: EnvelopeSource;
  readonly contentTypes: readonly EnvelopeHeader['content_type'][];
  /** Failures are told as google.rpc.Status instead of a problem document. */
  readonly isOtlp: boolean;
  /** Throws BODY_MALFORMED for what must not be kept; everything else is accepted. */
  readonly read: (reading: Reading) => Received;
}

export const INGEST_ROUTES: readonly IngestRoute[] = [
  {
    url: '/v1/hooks/claude-code',
    source: 'claude-code-hook',
    contentTypes: ['application/json'],
    isOtlp: false,
    read: readHook,
  },
  otlpRoute('logs', 'otlp-logs'),
  otlpRoute('metrics', 'otlp-metrics'),
  otlpRoute('traces', 'otlp-traces'),
  {
    url: '/v1/events',
    source: 'native',
    contentTypes: ['application/json', 'application/x-ndjson'],
    isOtlp: false,
    read: readNative,
  },
];

function otlpRoute(signal: OtlpSignal, source: EnvelopeSource): IngestRoute {
  return {
    url: `/v1/${signal}`,
    source,
    contentTypes: ['application/json', 'application/x-protobuf'],
    isOtlp: true,
    read: (reading) => readOtlp(signal, reading),
  };
}
