/** Entry bundles of C2SP tlog-tiles: the entries below a tile of level 0, each behind its length. Pure. */

/** A length is a big-endian uint16. */
const LENGTH_BYTES = 2;
/** The longest entry whose length fits. */
const MAX_ENTRY_BYTES = 2 ** 16 - 1;

/** Throws RangeError for an entry that is longer than the format can hold. */
export function packEntries(entries: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.alloc(entries.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0));
  let at = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES)
      throw new RangeError(`an entry of ${String(entry.length)} bytes is longer than a tile can hold`);
    at = bytes.writeUInt16BE(entry.length, at);
    bytes.set(entry, at);
    at += entry.length;
  }
  return bytes;
}
