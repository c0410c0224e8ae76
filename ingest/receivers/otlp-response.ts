import type { ErrorCode, PipelineError } from '../../schemas/errors.ts';

export type OtlpSignal = 'logs' | 'metrics' | 'traces';
export type OtlpEncoding = 'application/json' | 'application/x-protobuf';

export interface OtlpAnswer {
  readonly contentType: OtlpEncoding;
  readonly body: Buffer;
}

const REJECTED_MEMBER = {
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
  traces: 'rejectedSpans',
} as const satisfies Record<OtlpSignal, string>;

/**
 * The Export…ServiceResponse of one signal. The three messages share their numbers: partial_success is member 1, and
 * in it the count of rejected items is 1 and error_message 2. Without rejected items the message is empty.
 */
export function exportResponse(
  signal: OtlpSignal,
  encoding: OtlpEncoding,
  rejected: { readonly count: number; readonly message: string },
): OtlpAnswer {
  if (encoding === 'application/json') {
    // The JSON mapping of protobuf writes an int64 as a decimal string.
    const partialSuccess = {
      [REJECTED_MEMBER[signal]]: String(rejected.count),
      errorMessage: rejected.message,
    };
    return jsonAnswer(rejected.count === 0 ? {} : { partialSuccess });
  }
  if (rejected.count === 0) return { contentType: encoding, body: Buffer.alloc(0) };
  const partialSuccess = [varintMember(1, rejected.count), bytesMember(2, Buffer.from(rejected.message))];
  return { contentType: encoding, body: bytesMember(1, Buffer.concat(partialSuccess)) };
}

/** A failure as google.rpc.Status in protobuf: member 1 is the gRPC code, member 2 the message. */
export function statusMessage(error: PipelineError): Buffer {
  return Buffer.concat([
    varintMember(1, rpcCodeOf(error.code)),
    bytesMember(2, Buffer.from(textForSender(error))),
  ]);
}

/** What went wrong and where, as one line. */
export function textForSender(error: PipelineError): string {
  return error.place === undefined ? error.detail : `${error.detail} (${error.place})`;
}

function jsonAnswer(document: object): OtlpAnswer {
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(document)) };
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

export function varintMember(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...varint(value)]);
}

export function bytesMember(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(bytes.length)]), bytes]);
}

/** Base 128, least significant group first; `value` is a safe non-negative integer. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
