/** Protobuf by hand, for what no encoder writes. */

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

/** A length-delimited field. */
export function field(id: number, ...payload: readonly (Uint8Array | string)[]): Buffer {
  const bytes = Buffer.concat(payload.map((part) => Buffer.from(part as Uint8Array)));
  return Buffer.concat([varint(id * 8 + 2), varint(bytes.length), bytes]);
}

export function varintField(id: number, value: number): Buffer {
  return Buffer.concat([varint(id * 8), varint(value)]);
}

export function fixed64Field(id: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return Buffer.concat([varint(id * 8 + 1), bytes]);
}

/** A group, a wire type that protobuf has given up and readers still have to skip. */
export function group(id: number, ...payload: readonly Uint8Array[]): Buffer {
  return Buffer.concat([varint(id * 8 + 3), ...payload, varint(id * 8 + 4)]);
}

/** A key-value pair as the given field of a message. */
export function pair(id: number, key: string, stringValue: string): Buffer {
  return field(id, field(1, key), field(2, field(1, stringValue)));
}
