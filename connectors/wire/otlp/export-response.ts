import type { OtlpSignal } from './descriptor.ts';

const REJECTED_MEMBER = {
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
  traces: 'rejectedSpans',
} as const satisfies Record<OtlpSignal, string>;

/**
 * The Export…ServiceResponse of one signal. The three messages share their numbers: partial_success is member 1, and
 * in it the count of rejected items is 1 and error_message 2. Without rejected items the message is empty.
 */
export function encodeExportResponse(
  signal: OtlpSignal,
  contentType: 'application/json' | 'application/x-protobuf',
  rejected: { readonly count: number; readonly message: string },
): { readonly contentType: string; readonly body: Buffer } {
  if (contentType === 'application/json') {
    // The JSON mapping of protobuf writes an int64 as a decimal string.
    const partialSuccess = {
      [REJECTED_MEMBER[signal]]: String(rejected.count),
      errorMessage: rejected.message,
    };
    const document = rejected.count === 0 ? {} : { partialSuccess };
    return { contentType, body: Buffer.from(JSON.stringify(document)) };
  }
  if (rejected.count === 0) return { contentType, body: Buffer.alloc(0) };
  const partialSuccess = [varintMember(1, rejected.count), bytesMember(2, Buffer.from(rejected.message))];
  return { contentType, body: bytesMember(1, Buffer.concat(partialSuccess)) };
}

/** A varint field of a protobuf message. */
export function varintMember(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...varint(value)]);
}

/** A length-delimited field of a protobuf message. */
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
