/** The two messages inside the group protocol that members exchange, in version 0, which all clients read. */

/** Subscription: INT16 version, array of topic names, nullable user data. */
export function encodeSubscription(topic: string): Buffer {
  return Buffer.concat([int16(0), int32(1), text(topic), int32(-1)]);
}

/** Assignment: INT16 version, array of topic name and array of partitions, nullable user data. */
export function encodeAssignment(topic: string, partitions: readonly number[]): Buffer {
  return Buffer.concat([
    ...[int16(0), int32(1), text(topic), int32(partitions.length)],
    ...partitions.map(int32),
    int32(-1),
  ]);
}

/** Partitions by topic. A member without partitions may get an empty assignment. */
export function decodeAssignment(assignment: Buffer): Map<string, number[]> {
  const found = new Map<string, number[]>();
  if (assignment.length < 6) return found;
  let at = 2;
  const take = (length: number): number => (at += length) - length;
  const topics = assignment.readInt32BE(take(4));
  for (let topic = 0; topic < topics; topic++) {
    const length = assignment.readInt16BE(take(2));
    const name = assignment.toString('utf8', at, at + length);
    take(length);
    const count = assignment.readInt32BE(take(4));
    found.set(
      name,
      Array.from({ length: count }, () => assignment.readInt32BE(take(4))),
    );
  }
  return found;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
