/**
 * From record ids to leaf indexes, by the first 40 bits of an id. In: ids of a log with their indexes. Out: the indexes
 * where an id may be; the caller compares the whole id there. It takes at most 16 bytes of memory an id, once it holds
 * more than a few thousand. Pure.
 */

/**
 * The table grows by one part at a time, so that there is never a second copy of the whole. The first 8 bits of an id name
 * its part, and the 32 behind them its slot.
 */
const PART_COUNT = 256;
const SLOT_BITS_RANGE = 2 ** 32;
const FIRST_SLOT_COUNT = 16;
/** A part of whose slots more than this share is taken gets half as many more. */
const MAX_LOAD = 0.75;
const GROWTH = 1.5;
/** A slot is two numbers: the bits, and the leaf index plus one. Zeros mark a free slot. */
const SLOT_LENGTH = 2;
/** The largest leaf index that a slot can hold. */
const MAX_LEAF_INDEX = 2 ** 32 - 2;

interface Part {
  slots: Uint32Array;
  count: number;
}

export class IdTable {
  readonly #parts: readonly Part[] = Array.from({ length: PART_COUNT }, () => ({
    slots: new Uint32Array(FIRST_SLOT_COUNT * SLOT_LENGTH),
    count: 0,
  }));

  /** Bytes of memory that the slots take. */
  get sizeBytes(): number {
    return this.#parts.reduce((sum, { slots }) => sum + slots.byteLength, 0);
  }

  /** Each leaf is added once. Throws RangeError for an index beyond 2^32 - 2. */
  add(idBits: number, leafIndex: number): void {
    if (leafIndex > MAX_LEAF_INDEX) throw new RangeError(`a leaf index is above ${String(MAX_LEAF_INDEX)}`);
    const part = this.#partOf(idBits);
    if (part.count + 1 > (part.slots.length / SLOT_LENGTH) * MAX_LOAD) part.slots = enlarged(part.slots);
    place(part.slots, slotBitsOf(idBits), leafIndex + 1);
    part.count += 1;
  }

  /** Indexes of the leaves whose ids begin with these 40 bits. */
  find(idBits: number): number[] {
    const { slots } = this.#partOf(idBits);
    const bits = slotBitsOf(idBits);
    const found: number[] = [];
    let at = firstSlot(slots, bits);
    for (;;) {
      const indexPlusOne = slots[at + 1] ?? 0;
      if (indexPlusOne === 0) return found;
      if (slots[at] === bits) found.push(indexPlusOne - 1);
      at = nextSlot(slots, at);
    }
  }

  #partOf(idBits: number): Part {
    const part = this.#parts[Math.floor(idBits / SLOT_BITS_RANGE)];
    if (part === undefined) throw new RangeError('the first bits of an id are a number of 40 bits');
    return part;
  }
}

function slotBitsOf(idBits: number): number {
  return idBits % SLOT_BITS_RANGE;
}

/** Ids are digests, so their bits are spread evenly: the search for a slot begins where the bits lie in their range. */
function firstSlot(slots: Uint32Array, bits: number): number {
  return Math.floor((bits / SLOT_BITS_RANGE) * (slots.length / SLOT_LENGTH)) * SLOT_LENGTH;
}

function nextSlot(slots: Uint32Array, at: number): number {
  const next = at + SLOT_LENGTH;
  return next === slots.length ? 0 : next;
}

function place(slots: Uint32Array, bits: number, indexPlusOne: number): void {
  let at = firstSlot(slots, bits);
  while (slots[at + 1] !== 0) at = nextSlot(slots, at);
  slots[at] = bits;
  slots[at + 1] = indexPlusOne;
}

function enlarged(old: Uint32Array): Uint32Array {
  const slotCount = Math.ceil((old.length / SLOT_LENGTH) * GROWTH);
  const slots = new Uint32Array(slotCount * SLOT_LENGTH);
  for (let at = 0; at < old.length; at += SLOT_LENGTH) {
    const indexPlusOne = old[at + 1] ?? 0;
    if (indexPlusOne !== 0) place(slots, old[at] ?? 0, indexPlusOne);
  }
  return slots;
}
