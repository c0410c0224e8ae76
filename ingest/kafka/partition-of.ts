/**
 * The partition of a key: MurmurHash2 over its bytes, with the seed and the rounding of Apache Kafka's own client. All
 * common clients choose alike, so other programs can find a session's partition, and a change of the client library
 * leaves every session where it is.
 */
const SEED = 0x9747b28c;
const FACTOR = 0x5bd1e995;
const POSITIVE = 0x7fffffff;

export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & POSITIVE) % partitions;
}

/** All arithmetic is on 32 bits. */
function murmur2(bytes: Buffer): number {
  const { length } = bytes;
  const tailAt = length - (length % 4);
  let hash = SEED ^ length;
  for (let at = 0; at < tailAt; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), FACTOR);
    word ^= word >>> 24;
    hash = Math.imul(hash, FACTOR) ^ Math.imul(word, FACTOR);
  }
  if (tailAt < length) {
    for (let at = length - 1; at >= tailAt; at--) hash ^= bytes.readUInt8(at) << (8 * (at - tailAt));
    hash = Math.imul(hash, FACTOR);
  }
  hash = Math.imul(hash ^ (hash >>> 13), FACTOR);
  return hash ^ (hash >>> 15);
}
