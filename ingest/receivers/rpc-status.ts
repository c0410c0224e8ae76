/** Failures as google.rpc.Status, which exporters of OTLP read. */
import { bytesMember, varintMember } from '../../connectors/wire/otlp/export-response.ts';
import type { ErrorCode, PipelineError } from '../../schemas/errors.ts';

/** A failure as google.rpc.Status in protobuf: member 1 is the gRPC code, member 2 the message. */
export function statusMessage(error: PipelineError): Buffer {
  return Buffer.concat([
    varintMember(1, rpcCodeOf(error.code)),
    bytesMember(2, Buffer.from(textForSender(error))),
  ]);
}

/** The detail of a failure and its place, as one line. */
export function textForSender(error: PipelineError): string {
  return error.place === undefined ? error.detail : `${error.detail} (${error.place})`;
}

/** Numbers of google.rpc.Code. */
export function rpcCodeOf(code: ErrorCode): number {
  switch (code) {
    case 'AUTH_MISSING':
    case 'AUTH_INVALID':
      return 16;
    case 'AUTH_FORBIDDEN':
      return 7;
    case 'COLLECTOR_PUSHBACK':
      return 8;
    case 'LOG_PUSHBACK':
    case 'LOG_UNAVAILABLE':
      return 14;
    case 'INTERNAL':
      return 13;
    default:
      return 3;
  }
}
