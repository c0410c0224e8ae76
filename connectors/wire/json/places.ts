/**
 * Finds the place where a body stops being UTF-8 or JSON. The engine's own messages quote the body, and an error
 * message must not hold text that a person typed.
 */

/** `line L column C (byte N)`; lines and columns count from 1, columns in UTF-16 code units, bytes from 0. */
export function describePlace(text: string, at: number): string {
  const before = text.slice(0, at);
  const lastBreak = before.lastIndexOf('\n');
  let line = 1;
  for (let next = before.indexOf('\n'); next !== -1; next = before.indexOf('\n', next + 1)) line += 1;
  return `line ${line} column ${before.length - lastBreak} (byte ${Buffer.byteLength(before)})`;
}

/** Offset of the first byte that does not begin a well-formed UTF-8 sequence (Unicode table 3-7). */
export function locateInvalidUtf8(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) return at;
    at += length;
  }
  return bytes.length;
}

function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const [low, high] = secondByteRange(lead);
  if (!isByteIn(bytes[at + 1], low, high)) return 0;
  for (let next = 2; next < length; next += 1) {
    if (!isByteIn(bytes[at + next], 0x80, 0xbf)) return 0;
  }
  return length;
}

function isByteIn(byte: number | undefined, low: number, high: number): boolean {
  return byte !== undefined && byte >= low && byte <= high;
}

function secondByteRange(lead: number): readonly [number, number] {
  if (lead === 0xe0) return [0xa0, 0xbf];
  if (lead === 0xed) return [0x80, 0x9f];
  if (lead === 0xf0) return [0x90, 0xbf];
  return lead === 0xf4 ? [0x80, 0x8f] : [0x80, 0xbf];
}
