/** Refusals in gRPC: a code, a text, and the wait before the next attempt. */
import { Metadata, type status, type StatusObject } from '@grpc/grpc-js';
import { bytesMember, varintMember } from '../../../connectors/wire/otlp/export-response.ts';
import type { PipelineError } from '../../../schemas/errors.ts';
import { RETRY_AFTER_S } from '../answer.ts';
import { rpcCodeOf, textForSender } from '../rpc-status.ts';

/** Where a client finds a google.rpc.Status with details. */
const DETAILS_KEY = 'grpc-status-details-bin';
const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';

/** The status that ends a call, with trailers if there are any. */
export type Refusal = Pick<StatusObject, 'code' | 'details'> & Partial<Pick<StatusObject, 'metadata'>>;

/**
 * The status of a refused call. A call that may be sent again gets RetryInfo: without it RESOURCE_EXHAUSTED is final
 * for an exporter (OTLP specification, "OTLP/gRPC Response").
 */
export function toStatus(error: PipelineError): Refusal {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- gRPC's numbers are those of google.rpc.Code
  const code = rpcCodeOf(error.code) as status;
  const details = textForSender(error);
  if (error.retry !== 'later') return { code, details };
  const metadata = new Metadata();
  metadata.set(DETAILS_KEY, statusWithRetry(code, details));
  return { code, details, metadata };
}

/** google.rpc.Status: code 1, message 2, details 3 (Any: type_url 1, value 2); RetryInfo: retry_delay 1 (Duration: seconds 1). */
function statusWithRetry(code: number, details: string): Buffer {
  const delay = varintMember(1, RETRY_AFTER_S);
  const retryInfo = bytesMember(1, delay);
  const any = Buffer.concat([bytesMember(1, Buffer.from(RETRY_INFO)), bytesMember(2, retryInfo)]);
  return Buffer.concat([varintMember(1, code), bytesMember(2, Buffer.from(details)), bytesMember(3, any)]);
}
