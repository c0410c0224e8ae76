/**
 * Lines of text as bytes, written once into one growing buffer, so that hashing and compression read the same bytes. A long
 * string of many lines would be kept beside its bytes, and the collector would have to carry it.
 */

/** The first buffer. It doubles as lines come. */
const FIRST_BYTES = 4 * 1024;
/** UTF-8 takes at most so many bytes for a UTF-16 unit. */
const BYTES_PER_UNIT = 3;
/** The bytes of a longer text are counted, so that it does not take three times its room. */
const SHORT_TEXT_UNITS = 64 * 1024;

export class LineWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  /** Bytes that were written. */
  get length(): number {
    return this.#length;
  }

  /** Appends the UTF-8 of a text. */
  add(text: string): void {
    const isShort = text.length <= SHORT_TEXT_UNITS;
    const room = isShort ? text.length * BYTES_PER_UNIT : Buffer.byteLength(text);
    const needed = this.#length + room;
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** The bytes behind `start`. They are those of the buffer: valid until the next `add` or `cut`. */
  from(start: number): Buffer {
    return this.#bytes.subarray(start, this.#length);
  }

  /** Forgets the bytes behind `length`. */
  cut(length: number): void {
    if (length > this.#length) throw new RangeError('there are not so many bytes to keep');
    this.#length = length;
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
