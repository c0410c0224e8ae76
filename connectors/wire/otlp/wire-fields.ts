import protobuf from 'protobufjs';

/** Wire type of strings, bytes and messages. */
const LENGTH_DELIMITED = 2;

/** The place of one field of a protobuf message on the wire. */
export interface WireField {
  readonly id: number;
  /** At its tag. */
  readonly from: number;
  /** Behind its length; undefined for other wire types than the one of strings, bytes and messages. */
  readonly payloadAt: number | undefined;
  readonly to: number;
}

/** Passes each field between two places to `take`, in the order of the wire, until `take` returns `enough`. */
export type WalkFields = (from: number, to: number, take: (field: WireField) => 'enough' | undefined) => void;

/** Walks over bytes that the reader of messages has accepted before. */
export function createFieldWalk(bytes: Uint8Array): WalkFields {
  const reader = protobuf.Reader.create(bytes);
  return (from, to, take) => {
    for (let at = from; at < to;) {
      reader.pos = at;
      const tag = reader.tag();
      const [id, wireType] = [tag >>> 3, tag & 7];
      let payloadAt: number | undefined;
      if (wireType === LENGTH_DELIMITED) {
        const length = reader.uint32();
        payloadAt = reader.pos;
        reader.skip(length);
      } else reader.skipType(wireType, 0, id);
      const end = reader.pos;
      if (take({ id, from: at, payloadAt, to: end }) === 'enough') return;
      at = end;
    }
  };
}

/** Tag and length of a length-delimited field, to stand before its payload. */
export function fieldHeader(id: number, payloadBytes: number): Uint8Array {
  return protobuf.Writer.create()
    .uint32((id << 3) | LENGTH_DELIMITED)
    .uint32(payloadBytes)
    .finish();
}
